import { Alert, Button, Checkbox, Group, Select, TextInput, UnstyledButton } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { IconUsers } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { wordsOf } from '../app/errors'
import classes from './Department.module.css'
import { PersonLine } from './PersonPick'
import { ageOf, type Person } from './model'

interface Props {
  /** What was looked for: a name, mostly. */
  typed: string
  done: (person: Person) => void
  close: () => void
}

/** GB 11643: eighteen characters with the birth date inside, and the sex in the last but one. */
function ofCard(number: string): { birth: string; sex: '' | 'M' | 'F' } | null {
  const found = /^\d{6}(\d{8})\d{2}(\d)[\dXx]$/.exec(number.trim())
  return found ? { birth: found[1]!, sex: Number(found[2]) % 2 ? 'M' : 'F' } : null
}

export function NewPerson({ typed, done, close }: Props) {
  const { t } = useTranslation()
  const looksLikeName = typed.trim() !== '' && !/\d/.test(typed)
  const [fields, setFields] = useState({
    name: looksLikeName ? typed.trim() : '',
    letters: '',
    sex: '' as '' | 'M' | 'F' | 'O',
    birth: '',
    phone: '',
    kind: 'NI' as 'NI' | 'PPN' | 'HC',
    document: ofCard(typed) ? typed.trim() : '',
    vip: false,
  })
  const set = (part: Partial<typeof fields>) => setFields((before) => ({ ...before, ...part }))
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)
  const western = fields.name !== '' && !/[^\u0000-\u024f]/.test(fields.name)
  const birth = fields.birth.replace(/\D/g, '')

  const body = {
    name_ideographic: western ? '' : fields.name.trim(),
    name_alphabetic: western ? fields.name.trim().replace(/\s+/, '^') : fields.letters.trim(),
    sex: fields.sex,
    birth_date: birth,
    phone: fields.phone.trim(),
    vip: fields.vip,
    identifiers: fields.document.trim() ? [{ kind: fields.kind, value: fields.document.trim(), authority: '' }] : [],
  }
  const whole = { ...NOTHING, ...body }

  const readings = useQuery({
    queryKey: ['readings', fields.name],
    queryFn: () => data(api.POST('/persons/readings', { body: { name: fields.name.trim() } })),
    enabled: !western && fields.name.trim() !== '',
    staleTime: Infinity,
  })
  const [asked] = useDebouncedValue(JSON.stringify(whole), 400)
  const likely = useQuery({
    queryKey: ['likely', asked],
    queryFn: () => data(api.POST('/persons/likely', { body: JSON.parse(asked) as typeof whole })),
    enabled: fields.name.trim() !== '',
  })
  const same = likely.data?.candidates.filter((one) => one.score >= 50).slice(0, 4) ?? []
  const suggested = readings.data?.readings.map((one) => one.alphabetic) ?? []

  const save = async () => {
    setBusy(true)
    setError('')
    try {
      done(await data(api.POST('/persons', { body: whole })))
    } catch (failure) {
      setError(wordsOf(failure))
    } finally {
      setBusy(false)
    }
  }

  return (
    <form
      className={classes.block}
      onSubmit={(event) => {
        event.preventDefault()
        void save()
      }}
    >
      <h2 className={classes.blockTitle}>{t('department.person.new')}</h2>
      <div className={classes.form}>
        <TextInput className={classes.span3} label={t('department.person.name')} required withAsterisk={false} autoFocus maxLength={64} value={fields.name} onChange={(event) => set({ name: event.currentTarget.value })} />
        <Select
          className={classes.span3}
          label={t('department.person.letters')}
          placeholder={western ? t('department.person.lettersNotNeeded') : (suggested[0]?.replace('^', ' ') ?? '')}
          disabled={western}
          data={suggested.map((one) => ({ value: one, label: one.replaceAll('^', ' ') }))}
          value={fields.letters || null}
          onChange={(value) => set({ letters: value ?? '' })}
          clearable
        />
        <Select
          className={classes.span2}
          label={t('department.person.document')}
          data={(['NI', 'PPN', 'HC'] as const).map((one) => ({ value: one, label: t(`department.identity.${one}`) }))}
          value={fields.kind}
          onChange={(value) => set({ kind: (value as 'NI') ?? 'NI' })}
          allowDeselect={false}
        />
        <TextInput
          className={classes.span4}
          label={t('department.identity.number')}
          placeholder={t('department.identity.scan')}
          maxLength={64}
          autoComplete="off"
          spellCheck={false}
          value={fields.document}
          onChange={(event) => {
            const number = event.currentTarget.value
            const told = fields.kind === 'NI' ? ofCard(number) : null
            set({ document: number, ...(told && { birth: told.birth, sex: told.sex }) })
          }}
          onKeyDown={(event) => {
            // the scanner's Enter ends the number, not the form
            if (event.key === 'Enter') event.preventDefault()
          }}
        />
        <Select
          className={classes.span2}
          label={t('department.sexLabel')}
          data={(['M', 'F', 'O'] as const).map((one) => ({ value: one, label: t(`department.sex.${one}`) }))}
          value={fields.sex || null}
          onChange={(value) => set({ sex: (value as 'M') ?? '' })}
          clearable
        />
        <TextInput
          className={classes.span2}
          label={t('department.person.birth')}
          placeholder="YYYYMMDD"
          inputMode="numeric"
          maxLength={10}
          description={birth.length === 8 ? ageOf(birth) : undefined}
          inputWrapperOrder={['label', 'input', 'description', 'error']}
          value={fields.birth}
          onChange={(event) => set({ birth: event.currentTarget.value })}
        />
        <TextInput className={classes.span2} label={t('department.person.phone')} inputMode="tel" maxLength={40} value={fields.phone} onChange={(event) => set({ phone: event.currentTarget.value })} />
        <Checkbox className={classes.span6} label={t('department.person.vip')} checked={fields.vip} onChange={(event) => set({ vip: event.currentTarget.checked })} />
      </div>
      {same.length > 0 && (
        <Alert color="yellow" variant="light" p="xs" mt="sm" icon={<IconUsers size={16} />} title={t('department.person.likely')} role="status">
          {same.map((one) => (
            <UnstyledButton key={one.person.id} className={classes.choice} onClick={() => done(one.person)}>
              <PersonLine person={one.person} />
              <span className={classes.dim}>{one.score}%</span>
            </UnstyledButton>
          ))}
        </Alert>
      )}
      {error && (
        <Alert color="red" variant="light" p="xs" mt="sm" role="alert">
          {error}
        </Alert>
      )}
      <Group justify="flex-end" mt="sm">
        <Button variant="default" onClick={close}>
          {t('app.actions.cancel')}
        </Button>
        <Button type="submit" loading={busy} disabled={!fields.name.trim()}>
          {t('department.person.save')}
        </Button>
      </Group>
    </form>
  )
}

const NOTHING = { name_phonetic: '', address: '', patient_id: '', issuer: null }
