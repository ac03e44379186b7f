/** Changing what is known of a person. */
import { Checkbox, Select, Stack, Text, TextInput } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { Ask } from '../app/Ask'
import { day } from '../app/format'
import { KINDS, spaced, type Identifier, type Person } from './model'

interface Props {
  person: Person
  close: () => void
  done: () => void
}

export function EditPerson({ person, close, done }: Props) {
  const { t } = useTranslation()
  const [fields, setFields] = useState({
    name_ideographic: person.name_ideographic.replaceAll('^', ''),
    name_alphabetic: spaced(person.name_alphabetic),
    sex: person.sex,
    birth_date: day(person.birth_date),
    phone: person.phone,
    address: person.address,
    vip: person.vip,
    deceased: person.deceased,
  })
  const set = (part: Partial<typeof fields>) => setFields((before) => ({ ...before, ...part }))
  const letters = (text: string) => (text === spaced(person.name_alphabetic) ? person.name_alphabetic : text.trim().replace(/\s+/, '^'))
  return (
    <Ask
      title={t('patients.editTitle')}
      text={t('patients.editHelp')}
      word={t('patients.save')}
      reason="none"
      ready={Boolean(fields.name_ideographic.trim() || fields.name_alphabetic.trim())}
      close={close}
      act={async () => {
        const same = fields.name_ideographic.trim() === person.name_ideographic.replaceAll('^', '')
        await data(
          api.PATCH('/persons/{person}', {
            params: { path: { person: person.id } },
            body: {
              ...fields,
              // as it was parted, unless it is another name
              name_ideographic: same ? person.name_ideographic : fields.name_ideographic.trim(),
              name_alphabetic: letters(fields.name_alphabetic),
              birth_date: fields.birth_date.replace(/\D/g, ''),
              name_phonetic: null,
              seen: person.changes,
            },
          }),
        )
        done()
      }}
    >
      <TextInput label={t('patients.name')} data-autofocus maxLength={64} value={fields.name_ideographic} onChange={(event) => set({ name_ideographic: event.currentTarget.value })} />
      <TextInput label={t('patients.letters')} maxLength={64} value={fields.name_alphabetic} onChange={(event) => set({ name_alphabetic: event.currentTarget.value })} />
      <Select
        label={t('patients.sex')}
        data={(['M', 'F', 'O'] as const).map((one) => ({ value: one, label: t(`department.sex.${one}`) }))}
        value={fields.sex || null}
        onChange={(value) => set({ sex: (value as 'M') ?? '' })}
        clearable
      />
      <TextInput label={t('patients.birth')} placeholder="YYYY-MM-DD" maxLength={10} value={fields.birth_date} onChange={(event) => set({ birth_date: event.currentTarget.value })} />
      <TextInput label={t('patients.phone')} inputMode="tel" maxLength={40} value={fields.phone} onChange={(event) => set({ phone: event.currentTarget.value })} />
      <TextInput label={t('patients.address')} maxLength={300} value={fields.address} onChange={(event) => set({ address: event.currentTarget.value })} />
      <Checkbox label={t('patients.vip')} checked={fields.vip} onChange={(event) => set({ vip: event.currentTarget.checked })} />
      <Checkbox label={t('patients.deceased')} checked={fields.deceased} onChange={(event) => set({ deceased: event.currentTarget.checked })} />
    </Ask>
  )
}

export function AddNumber({ person, close, done }: Props) {
  const { t } = useTranslation()
  const [kind, setKind] = useState<(typeof KINDS)[number]>('NI')
  const [value, setValue] = useState('')
  const [authority, setAuthority] = useState('')
  return (
    <Ask
      title={t('patients.addNumberTitle')}
      word={t('patients.addNumber')}
      reason="none"
      ready={value.trim() !== ''}
      close={close}
      act={async () => {
        await data(api.POST('/persons/{person}/identifiers', { params: { path: { person: person.id } }, body: { kind, value: value.trim(), authority: authority.trim() } }))
        done()
      }}
    >
      <Select
        label={t('patients.kind')}
        data={KINDS.map((one) => ({ value: one, label: t(`patients.kinds.${one}`) }))}
        value={kind}
        allowDeselect={false}
        onChange={(chosen) => setKind((chosen as 'NI') ?? 'NI')}
      />
      <TextInput label={t('patients.number')} data-autofocus maxLength={64} autoComplete="off" value={value} onChange={(event) => setValue(event.currentTarget.value)} />
      <TextInput label={t('patients.authority')} maxLength={64} value={authority} onChange={(event) => setAuthority(event.currentTarget.value)} />
    </Ask>
  )
}

export function EndNumber({ person, one, close, done }: Props & { one: Identifier }) {
  const { t } = useTranslation()
  return (
    <Ask
      title={t('patients.endNumberTitle')}
      text={t('patients.endNumberText', { value: one.value })}
      word={t('patients.endNumber')}
      reason="none"
      close={close}
      act={async () => {
        await data(api.DELETE('/persons/{person}/identifiers/{number}', { params: { path: { person: person.id, number: one.id } } }))
        done()
      }}
    />
  )
}

export function ChangeId({ person, close, done }: Props) {
  const { t } = useTranslation()
  const [value, setValue] = useState('')
  return (
    <Ask
      title={t('patients.changeIdTitle')}
      text={t('patients.changeIdText')}
      word={t('patients.changeId')}
      ready={value.trim() !== '' && value.trim() !== person.patient_id}
      close={close}
      act={async (reason) => {
        await data(
          api.POST('/persons/{person}/patient-id', {
            params: { path: { person: person.id } },
            body: { patient_id: value.trim(), issuer: null, seen: person.changes, reason },
          }),
        )
        done()
      }}
    >
      <Stack gap={4}>
        <Text size="sm">
          {person.name} · {person.patient_id}
        </Text>
        <TextInput label={t('patients.patientId')} data-autofocus maxLength={64} autoComplete="off" value={value} onChange={(event) => setValue(event.currentTarget.value)} />
      </Stack>
    </Ask>
  )
}
