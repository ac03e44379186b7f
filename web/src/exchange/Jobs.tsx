import { Button, Group, Progress, SegmentedControl, Text } from '@mantine/core'
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { Ask } from '../app/Ask'
import { colon, moment } from '../app/format'
import type { Column } from '../app/Grid'
import { Dim, Dot, Facts, Item, ListPage, Section } from '../app/ListPage'
import { why } from '../app/reasons'
import { usePeople } from '../department/model'

type Job = components['schemas']['JobWords']
type State = Job['state']

const HOW: Record<State, 'good' | 'bad' | 'warn' | 'idle'> = {
  waiting: 'idle',
  running: 'good',
  retrying: 'warn',
  done: 'good',
  failed: 'bad',
  cancelled: 'idle',
}
const OVER: State[] = ['done', 'failed', 'cancelled']

export default function Jobs() {
  const { t } = useTranslation()
  const [state, setState] = useState<'' | State>('')
  const [limit, setLimit] = useState(100)
  const [chosen, choose] = useState<string | null>(null)
  const query = useQuery({
    queryKey: ['jobs', state, limit],
    queryFn: () => data(api.GET('/jobs', { params: { query: { ...(state ? { state } : {}), limit } } })),
    // often while something moves
    refetchInterval: (found) => (found.state.data?.jobs.some((one) => !OVER.includes(one.state)) ? 2_000 : 15_000),
    placeholderData: keepPreviousData,
  })
  const rows = query.data?.jobs ?? []
  const columns = useMemo<Column<Job>[]>(
    () => [
      { id: 'state', title: t('admin.jobs.state'), width: 120, cell: (row) => <Dot how={HOW[row.state]}>{t(`admin.jobs.states.${row.state}`)}</Dot> },
      { id: 'device', title: t('admin.jobs.device'), width: 130, cell: (row) => row.device },
      // what somebody comes for: on a small screen too
      { id: 'why', title: t('admin.jobs.why'), width: 510, cell: (row) => <span title={why(row.reason)}>{why(row.reason)}</span> },
      { id: 'progress', title: t('admin.jobs.progress'), width: 160, cell: (row) => <Bar job={row} /> },
      { id: 'attempt', title: t('admin.jobs.attempt'), width: 70, end: true, cell: (row) => row.attempt || '' },
      { id: 'changed', title: t('admin.jobs.changed'), width: 130, cell: (row) => moment(row.changed_at) },
      { id: 'kind', title: t('admin.jobs.kind'), width: 120, cell: (row) => t(`admin.jobs.kinds.${row.kind}`, row.kind) },
    ],
    [t],
  )
  return (
    <ListPage
      title={t('admin.sections.jobs')}
      name="jobs"
      found={query.data && t('admin.jobs.found', { count: rows.length }) + (query.data.more ? '+' : '')}
      tools={
        <SegmentedControl
          aria-label={t('admin.jobs.state')}
          data={(['', 'running', 'retrying', 'waiting', 'failed', 'cancelled', 'done'] as const).map((one) => ({
            value: one,
            label: one ? t(`admin.jobs.states.${one}`) : t('admin.jobs.states.all'),
          }))}
          value={state}
          onChange={(value) => setState(value as '' | State)}
        />
      }
      columns={columns}
      rows={rows}
      rowId={(row) => row.id}
      query={query}
      empty={t(state ? 'admin.jobs.noneOf' : 'admin.jobs.none')}
      chosen={chosen}
      choose={choose}
      onEnd={() => query.data?.more && !query.isFetching && limit < 500 && setLimit(500)}
      detailsTitle={chosen && t('admin.jobs.one')}
      details={chosen && <JobDetails id={chosen} />}
    />
  )
}

function Bar({ job }: { job: Job }) {
  const { t } = useTranslation()
  const told = job.progress
  if (!told?.total) return null
  return (
    <Group gap="xs" wrap="nowrap" w="100%">
      <Progress.Root size="sm" style={{ flex: 1 }} aria-label={t('admin.jobs.progress')}>
        <Progress.Section value={(100 * told.sent) / told.total} aria-label={t('admin.jobs.progress')} />
        <Progress.Section value={(100 * told.failed) / told.total} color="red" aria-label={t('admin.jobs.states.failed')} />
      </Progress.Root>
      <Text size="xs">
        {told.sent + told.failed}/{told.total}
      </Text>
    </Group>
  )
}

function JobDetails({ id }: { id: string }) {
  const { t } = useTranslation()
  const called = usePeople()
  const client = useQueryClient()
  const [asking, setAsking] = useState<'cancel' | 'resume' | null>(null)
  const params = { path: { job: id } }
  const query = useQuery({
    queryKey: ['job', id],
    queryFn: () => data(api.GET('/jobs/{job}', { params })),
    refetchInterval: (found) => (found.state.data && OVER.includes(found.state.data.state) ? false : 2_000),
  })
  const job = query.data
  if (!job) return null
  const uids = [...asList(job.task.study_uids), ...asList(job.task.series_uids), ...asList(job.task.study_uid)]
  return (
    <>
      <Group gap="xs" mb="sm">
        {!OVER.includes(job.state) && (
          <Button variant="default" onClick={() => setAsking('cancel')}>
            {t('admin.jobs.cancel')}
          </Button>
        )}
        {(job.state === 'failed' || job.state === 'cancelled') && (
          <Button onClick={() => setAsking('resume')}>{t('admin.jobs.resume')}</Button>
        )}
      </Group>
      <Facts
        facts={[
          [t('admin.jobs.state'), <Dot how={HOW[job.state]}>{t(`admin.jobs.states.${job.state}`)}</Dot>],
          [t('admin.jobs.why'), why(job.reason)],
          [t('admin.jobs.next'), moment(job.next_at)],
          [t('admin.jobs.kind'), t(`admin.jobs.kinds.${job.kind}`, job.kind)],
          [t('admin.jobs.device'), job.device],
          [t('admin.jobs.progress'), job.progress?.total ? <Bar job={job} /> : ''],
          [t('admin.jobs.attempt'), job.attempt || ''],
          [t('admin.jobs.added'), moment(job.created_at)],
          [t('admin.jobs.changed'), moment(job.changed_at)],
          [t('admin.jobs.number'), job.id],
          [t('admin.jobs.about'), uids.join('\n')],
        ]}
      />
      {job.decided.length > 0 && (
        <Section title={t('admin.jobs.decided')}>
          {job.decided.map((one) => (
            <Item key={one.at}>
              {t(`admin.jobs.decisions.${one.what}`) + colon() + one.reason}
              <Dim>
                {moment(one.at)} · {called(one.by)}
              </Dim>
            </Item>
          ))}
        </Section>
      )}
      {asking && (
        <Ask
          title={t(`admin.jobs.${asking}Title`)}
          text={t(`admin.jobs.${asking}Text`)}
          word={t(`admin.jobs.${asking}`)}
          grave={asking === 'cancel'}
          close={() => setAsking(null)}
          act={async (reason) => {
            const found = await data(api.POST(asking === 'cancel' ? '/jobs/{job}/cancel' : '/jobs/{job}/resume', { params, body: { reason } }))
            client.setQueryData(['job', id], found)
            void client.invalidateQueries({ queryKey: ['jobs'] })
            void client.invalidateQueries({ queryKey: ['alarms'] })
          }}
        />
      )}
    </>
  )
}

function asList(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return Array.isArray(value) ? value.map(String) : []
}
