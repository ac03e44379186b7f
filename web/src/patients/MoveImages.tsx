/** Moving images to the exam that they are of: which series, where to, what it means for others, and why. */
import { Alert, Checkbox, Loader, Radio, Stack, Text } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { Ask } from '../app/Ask'
import { ErrorNote } from '../app/errors'
import { moment } from '../app/format'
import { ExamNumber } from '../department/ExamNumber'
import { procedureOf, type Exam } from '../department/model'
import { bothNames } from './model'

interface Props {
  /** Under which they came. */
  exam: Exam
  /** Chosen before: a study of it, and of which exam it is. */
  study?: string
  to?: { exam: Exam; name: string }
  close: () => void
  done: (number: string) => void
}

/** Chosen as where they go. */
interface Target {
  exam: Exam
  name: string
}

export function MoveImages({ exam, study, to, close, done }: Props) {
  const { t } = useTranslation()
  const [left, leave] = useState<ReadonlySet<string>>(new Set())
  const [named, setNamed] = useState<Target | null>(to ?? null)
  const [picked, pick] = useState<number | null>(to?.exam.id ?? null)
  const [despite, setDespite] = useState(false)
  const query = useQuery({
    queryKey: ['movable', exam.id],
    queryFn: () => data(api.GET('/exams/{exam}/move-images', { params: { path: { exam: exam.id } } })),
  })
  const page = query.data
  const uid = study ?? page?.series[0]?.study_uid ?? ''
  const series = page?.series.filter((one) => one.study_uid === uid) ?? []
  const moved = series.filter((one) => !left.has(one.series_uid))
  const targets: Target[] = [
    ...(named ? [named] : []),
    ...(page?.candidates ?? [])
      .filter((one) => one.exam.id !== named?.exam.id)
      .slice(0, 6)
      .map((one) => ({ exam: one.exam, name: bothNames(one.person) })),
  ]
  const target = targets.find((one) => one.exam.id === picked)
  const read = Boolean(page?.being_read) || (target !== undefined && READ.includes(target.exam.state))
  const flip = (one: string) => {
    const next = new Set(left)
    if (!next.delete(one)) next.add(one)
    leave(next)
  }
  return (
    <Ask
      title={t('patients.move.title', { number: exam.number || String(exam.id) })}
      text={t('patients.move.text')}
      word={t('patients.move.word')}
      size="lg"
      ready={moved.length > 0 && target !== undefined && (!read || despite)}
      close={close}
      act={async (reason) => {
        const made = await data(
          api.POST('/exams/{exam}/move-images', {
            params: { path: { exam: exam.id } },
            body: {
              study_uid: uid,
              // never "all": what has come since is not on the list
              series_uids: moved.map((one) => one.series_uid),
              to: target!.exam.id,
              reason,
              despite,
            },
          }),
        )
        notifications.show({
          message: t(made.waiting ? 'patients.move.waiting' : 'patients.move.done', { number: made.exam.number }),
          autoClose: 5_000,
        })
        done(made.exam.number)
      }}
    >
      {query.isError && <ErrorNote error={query.error} again={() => void query.refetch()} />}
      {query.isPending && <Loader size="sm" />}
      {page && series.length === 0 && <Text size="sm">{t('patients.move.nothing')}</Text>}
      {series.length > 0 && (
        <Stack gap={4} role="group" aria-label={t('patients.move.series')}>
          <Text size="sm" fw={500}>
            {t('patients.move.series')}
          </Text>
          <Stack gap={4} mah={150} style={{ overflow: 'auto' }}>
            {series.map((one) => (
              <Checkbox
                key={one.series_uid}
                checked={!left.has(one.series_uid)}
                onChange={() => flip(one.series_uid)}
                label={[one.number, one.description || one.modality, t('work.seriesImages', { count: one.images })].filter(Boolean).join(' · ')}
              />
            ))}
          </Stack>
        </Stack>
      )}
      {page && (
        <Stack gap={4}>
          <Radio.Group label={t('patients.move.to')} value={picked === null ? null : String(picked)} onChange={(value) => pick(Number(value))}>
            <Stack gap={4} mt={4}>
              {targets.map((one) => (
                <Radio
                  key={one.exam.id}
                  value={String(one.exam.id)}
                  label={[one.name, one.exam.number, procedureOf(one.exam), moment(one.exam.started_at ?? one.exam.arrived_at ?? one.exam.ordered_at)]
                    .filter(Boolean)
                    .join(' · ')}
                />
              ))}
            </Stack>
          </Radio.Group>
          <ExamNumber
            width={220}
            found={(one) => {
              setNamed({ exam: one.exam, name: bothNames(one) })
              pick(one.exam.id)
            }}
          />
        </Stack>
      )}
      {read && (
        <Alert color="yellow" variant="light" p="xs">
          <Checkbox checked={despite} onChange={(event) => setDespite(event.currentTarget.checked)} label={t('patients.move.beingRead')} />
        </Alert>
      )}
      {page !== undefined && page.copies > 0 && (
        <Alert color="yellow" variant="light" p="xs">
          {t('patients.move.copies', { count: page.copies })}
        </Alert>
      )}
    </Ask>
  )
}

/** Somebody is reading, or has: of the server's moving.READ. */
const READ: readonly string[] = ['E70', 'E75', 'E80', 'E90', 'E92', 'E97']
