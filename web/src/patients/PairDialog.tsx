/** Two persons beside each other: to be merged, or linked. */
import { Alert, Button, Group, Modal, Stack, Text, Textarea } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useQuery } from '@tanstack/react-query'
import { IconArrowsExchange } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { wordsOf } from '../app/errors'
import { moment } from '../app/format'
import { PersonPick } from '../department/PersonPick'
import { Compare, type Pair } from './Compare'
import { born, plain, spaced, type Person } from './model'

interface Props {
  what: 'merge' | 'link'
  person: Person
  close: () => void
  done: () => void
}

export function PairDialog({ what, person, close, done }: Props) {
  const { t } = useTranslation()
  const [other, setOther] = useState<Person | null>(null)
  const [swapped, setSwapped] = useState(false)
  const [why, setWhy] = useState('')
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)
  const same = other?.id === person.id
  const [stays, goes] = swapped && other ? [other, person] : [person, other]

  const act = async () => {
    if (!other || !goes) return
    setBusy(true)
    setError('')
    try {
      if (what === 'merge') {
        await data(
          api.POST('/persons/merge', {
            body: { survivor: stays.id, subsumed: goes.id, survivor_seen: stays.changes, subsumed_seen: goes.changes, reason: why.trim() },
          }),
        )
      } else {
        await data(api.POST('/persons/link', { body: { person: person.id, other: other.id, reason: why.trim() } }))
      }
      notifications.show({ message: t(`patients.done.${what}`), autoClose: 3_000 })
      done()
      close()
    } catch (failure) {
      setError(wordsOf(failure))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Modal opened onClose={close} title={t(`patients.${what}Title`)} size="xl">
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          {t(`patients.${what}Text`)}
        </Text>
        {!other && <PersonPick person={null} pick={setOther} />}
        {other && goes && <Sides stays={stays} goes={goes} what={what} />}
        {other && (
          <Group justify="space-between">
            <Button size="compact-xs" variant="subtle" onClick={() => setOther(null)}>
              {t('patients.chooseOther')}
            </Button>
            {what === 'merge' && (
              <Button size="compact-xs" variant="subtle" leftSection={<IconArrowsExchange size={14} />} onClick={() => setSwapped(!swapped)}>
                {t('patients.swap')}
              </Button>
            )}
          </Group>
        )}
        {same && (
          <Alert color="yellow" variant="light" p="xs">
            {t('patients.sameOne')}
          </Alert>
        )}
        {other && !same && (
          <Textarea label={t('admin.reason')} autosize minRows={2} maxLength={400} value={why} onChange={(event) => setWhy(event.currentTarget.value.replace(/[\r\n]+/g, ' '))} />
        )}
        {error && (
          <Alert color="red" variant="light" p="xs" role="alert">
            {error}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {t('app.actions.cancel')}
          </Button>
          <Button loading={busy} disabled={!other || same || !why.trim()} onClick={() => void act()}>
            {t(`patients.${what}Word`)}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}

function Sides({ what, ...given }: { stays: Person; goes: Person; what: 'merge' | 'link' }) {
  const { t } = useTranslation()
  const pages = [usePage(given.stays.id), usePage(given.goes.id)] as const
  // their own pages tell documents' numbers in full
  const stays = pages[0].data?.person ?? given.stays
  const goes = pages[1].data?.person ?? given.goes
  const line = (name: string, left: string, right: string, compared = true): Pair => ({
    name,
    left,
    right,
    differs: compared && left !== '' && right !== '' && plain(left) !== plain(right),
  })
  const numbers = (person: Person) =>
    person.identifiers
      .filter((one) => one.active && one.value !== person.patient_id)
      .map((one) => `${t(`patients.kinds.${one.kind}`)} ${one.value}`)
      .join('; ')
  const exams = (page: (typeof pages)[number]) =>
    page.data?.exams
      .slice(0, 5)
      .map((one) => [one.number, one.modality, moment(one.arrived_at ?? one.ordered_at)].filter(Boolean).join(' '))
      .join('; ') ?? ''
  const sex = (person: Person) => (person.sex ? t(`department.sex.${person.sex}`) : '')
  return (
    <Compare
      left={what === 'merge' ? t('patients.stays') : stays.name}
      right={what === 'merge' ? t('patients.goes') : goes.name}
      pairs={[
        line(t('patients.name'), stays.name, goes.name),
        line(t('patients.letters'), spaced(stays.name_alphabetic), spaced(goes.name_alphabetic)),
        line(t('patients.sex'), sex(stays), sex(goes)),
        line(t('patients.birth'), born(stays), born(goes)),
        line(t('patients.phone'), stays.phone, goes.phone),
        line(t('patients.address'), stays.address, goes.address),
        line(t('patients.patientId'), stays.patient_id, goes.patient_id, false),
        line(t('patients.numbers'), numbers(stays), numbers(goes), false),
        line(t('patients.exams'), exams(pages[0]), exams(pages[1]), false),
      ]}
    />
  )
}

function usePage(id: number) {
  return useQuery({ queryKey: ['person', id], queryFn: () => data(api.GET('/persons/{person}', { params: { path: { person: id } } })) })
}
