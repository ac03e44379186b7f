/** Whose exam of the green channel it was: the person, how one knows, and the class of the new number. */
import { Alert, Anchor, Button, Chip, Group, Select, Stack, Text, Textarea, TextInput } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { useMay } from '../access/session'
import { api, data } from '../api/client'
import { wordsOf } from '../app/errors'
import { moment } from '../app/format'
import { nameOf, procedureOf, useMaster, wordsOfKind } from '../department/model'
import { PersonPick } from '../department/PersonPick'
import { CHECKED, type GreenExam, type Person } from './model'

type Checked = (typeof CHECKED)[number]

export function MatchForm({ one, along, done }: { one: GreenExam; along: number; done: () => void }) {
  const { t } = useTranslation()
  const may = useMay()
  const client = useQueryClient()
  const master = useMaster()
  const known = one.person.unknown ? null : one.person
  const [person, setPerson] = useState<Person | null>(known)
  const [letter, setLetter] = useState<string | null>(null)
  const [number, setNumber] = useState('')
  const [checked, setChecked] = useState<Checked[]>([])
  const [instead, setInstead] = useState<string>('')
  const [why, setWhy] = useState('')
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)

  const classesOf = wordsOfKind(master.data, 'exam-class').filter((each) => !each.more.green)
  const needs = classesOf.find((each) => each.code === letter)?.more.needs
  const orders = useQuery({
    queryKey: ['green', one.exam.id, person?.id],
    queryFn: () =>
      data(api.GET('/green-channel/{exam}/orders', { params: { path: { exam: one.exam.id }, query: { person: person!.id } } })),
    enabled: person !== null && !person.unknown,
  })
  const ready = person !== null && letter !== null && checked.length >= 2 && why.trim() !== '' && (!needs || number.trim() !== '')

  const pick = (chosen: Person | null) => {
    setPerson(chosen)
    setInstead('')
    setError('')
  }
  const choose = (value: string | null) => {
    setLetter(value)
    const wanted = classesOf.find((each) => each.code === value)?.more.needs
    const has = person?.identifiers.findLast((each) => each.kind === wanted && each.active)
    setNumber(has?.value ?? '')
  }
  const act = async () => {
    if (!person || !letter) return
    setBusy(true)
    setError('')
    try {
      const matched = await data(
        api.POST('/green-channel/{exam}/match', {
          params: { path: { exam: one.exam.id } },
          body: {
            person: person.id,
            exam_class: letter,
            checked,
            visit_number: needs === 'VN' ? number.trim() : '',
            admission_number: needs === 'AN' ? number.trim() : '',
            instead_of: instead ? Number(instead) : null,
            reason: why.trim(),
          },
        }),
      )
      notifications.show({ message: t('patients.done.match', { number: matched.exam.number }), autoClose: 6_000 })
      done()
    } catch (failure) {
      setError(wordsOf(failure))
    } finally {
      setBusy(false)
      for (const key of ['green', 'person', 'persons', 'exams']) void client.invalidateQueries({ queryKey: [key] })
    }
  }

  return (
    <Stack gap="sm">
      <Group gap="sm">
        <Anchor component={Link} href={`/exams/${one.exam.id}`} size="sm">
          {t('patients.openExam')}
        </Anchor>
        {one.exam.images !== 'none' && may('view') && (
          <Anchor component={Link} href={`/view/${one.exam.study_uid}`} size="sm">
            {t('patients.openImages')}
          </Anchor>
        )}
      </Group>
      {along > 0 && (
        <Text size="sm" c="dimmed">
          {t('patients.together', { count: along })}
        </Text>
      )}
      <PersonPick person={person} pick={pick} />
      {person && (
        <form
          onSubmit={(event) => {
            event.preventDefault()
            void act()
          }}
        >
          <Stack gap="sm">
            <Chip.Group multiple value={checked} onChange={(value) => setChecked(value as Checked[])}>
              <Stack gap={4} role="group" aria-label={t('patients.recognised')}>
                <Text size="xs" fw={500}>
                  {t('patients.recognised')}
                </Text>
                <Group gap={4}>
                  {CHECKED.map((each) => (
                    <Chip key={each} value={each} size="xs" radius="sm">
                      {t(`patients.checked.${each}`)}
                    </Chip>
                  ))}
                </Group>
              </Stack>
            </Chip.Group>
            <Group grow align="flex-start">
              <Select
                label={t('patients.newClass')}
                data={classesOf.map((each) => ({ value: each.code, label: `${each.code} · ${nameOf(each)}` }))}
                value={letter}
                onChange={choose}
                allowDeselect={false}
              />
              {needs ? (
                <TextInput
                  label={t(needs === 'AN' ? 'patients.admission' : 'patients.visit')}
                  maxLength={64}
                  autoComplete="off"
                  value={number}
                  onChange={(event) => setNumber(event.currentTarget.value)}
                />
              ) : (
                <span />
              )}
            </Group>
            {(orders.data?.length ?? 0) > 0 && (
              <Select
                label={t('patients.orderWaits')}
                description={instead ? t('patients.orderHelp') : undefined}
                inputWrapperOrder={['label', 'input', 'description', 'error']}
                data={[
                  { value: '', label: t('patients.noOrder') },
                  ...orders.data!.map((each) => ({ value: String(each.id), label: [each.number, procedureOf(each), moment(each.ordered_at)].filter(Boolean).join(' · ') })),
                ]}
                value={instead}
                onChange={(value) => setInstead(value ?? '')}
                allowDeselect={false}
              />
            )}
            <Textarea
              label={t('admin.reason')}
              autosize
              minRows={2}
              maxLength={400}
              value={why}
              onChange={(event) => setWhy(event.currentTarget.value.replace(/[\r\n]+/g, ' '))}
            />
            <Text size="xs" c="dimmed">
              {t('patients.matchHelp', { number: one.exam.number })}
            </Text>
            {error && (
              <Alert color="red" variant="light" p="xs" role="alert">
                {error}
              </Alert>
            )}
            <Group justify="flex-end">
              <Button type="submit" loading={busy} disabled={!ready}>
                {t('patients.match')}
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Stack>
  )
}
