import { Button, Group, SegmentedControl } from '@mantine/core'
import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { Ask } from '../app/Ask'
import { ErrorNote } from '../app/errors'
import { bytes, day, moment, names } from '../app/format'
import type { Column } from '../app/Grid'
import { Dim, Facts, ListPage, Section } from '../app/ListPage'
import { usePeople } from '../department/model'

type Quarantined = components['schemas']['Quarantined']
type Contents = components['schemas']['Contents']

export default function Quarantine() {
  const { t } = useTranslation()
  const called = usePeople()
  const [state, setState] = useState<Quarantined['state']>('waiting')
  const [chosen, choose] = useState<string | null>(null)
  const query = useInfiniteQuery({
    queryKey: ['quarantine', state],
    initialPageParam: 0,
    queryFn: ({ pageParam }) =>
      data(api.GET('/quarantine', { params: { query: { state, after: pageParam, limit: 100 } } })),
    getNextPageParam: (page) => page.following || undefined,
    refetchInterval: 30_000,
  })
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.objects) ?? [], [query.data])
  const columns = useMemo<Column<Quarantined>[]>(
    () => [
      { id: 'number', title: t('stewards.number'), width: 70, end: true, cell: (row) => row.id },
      { id: 'cause', title: t('stewards.cause'), width: 300, cell: (row) => t(`stewards.causes.${row.cause}`) },
      { id: 'source', title: t('stewards.source'), width: 140, cell: (row) => t(`stewards.sources.${row.source}`, row.source) },
      { id: 'received', title: t('stewards.received'), width: 130, cell: (row) => moment(row.received_at) },
      { id: 'size', title: t('stewards.size'), width: 80, end: true, cell: (row) => bytes(row.size) },
      { id: 'study', title: t('stewards.studyUid'), width: 320, cell: (row) => row.study_uid },
      ...(state === 'waiting'
        ? []
        : [
            { id: 'by', title: t('stewards.decidedBy'), width: 110, cell: (row: Quarantined) => called(row.decided_by) },
            { id: 'reason', title: t('stewards.reason'), width: 240, cell: (row: Quarantined) => row.reason },
          ]),
    ],
    [t, called, state],
  )
  return (
    <ListPage
      title={t('admin.sections.quarantine')}
      name="quarantine"
      found={query.data && t('stewards.objects', { count: rows.length }) + (query.hasNextPage ? '+' : '')}
      tools={
        <SegmentedControl
          aria-label={t('stewards.state')}
          data={(['waiting', 'accepted', 'discarded'] as const).map((one) => ({ value: one, label: t(`stewards.states.${one}`) }))}
          value={state}
          onChange={(value) => {
            choose(null)
            setState(value as Quarantined['state'])
          }}
        />
      }
      columns={columns}
      rows={rows}
      rowId={(row) => String(row.id)}
      query={query}
      empty={t(`stewards.noneIn.${state}`)}
      chosen={chosen}
      choose={choose}
      onEnd={() => query.hasNextPage && !query.isFetching && void query.fetchNextPage()}
      detailsTitle={chosen && t('stewards.object', { number: chosen })}
      details={chosen && <Details number={Number(chosen)} done={() => choose(null)} />}
    />
  )
}

function Details({ number, done }: { number: number; done: () => void }) {
  const { t } = useTranslation()
  const called = usePeople()
  const client = useQueryClient()
  const [asking, setAsking] = useState<'accept' | 'discard' | null>(null)
  const params = { path: { number } }
  const query = useQuery({
    queryKey: ['quarantined', number],
    queryFn: () => data(api.GET('/quarantine/{number}', { params })),
  })
  if (query.isError) return <ErrorNote error={query.error} again={() => void query.refetch()} />
  const one = query.data
  if (!one) return null
  return (
    <>
      {one.state === 'waiting' && (
        <Group gap="xs" mb="sm">
          <Button onClick={() => setAsking('accept')}>{t('stewards.accept')}</Button>
          <Button variant="light" color="red" onClick={() => setAsking('discard')}>
            {t('stewards.discard')}
          </Button>
        </Group>
      )}
      <Facts
        facts={[
          [t('stewards.cause'), t(`stewards.causes.${one.cause}`)],
          [t('stewards.source'), t(`stewards.sources.${one.source}`, one.source)],
          [t('stewards.received'), moment(one.received_at)],
          [t('stewards.size'), bytes(one.size)],
          [t('stewards.state'), t(`stewards.states.${one.state}`)],
          [t('stewards.decidedBy'), called(one.decided_by)],
          [t('stewards.reason'), one.reason],
          [t('stewards.studyUid'), one.study_uid],
          [t('stewards.seriesUid'), one.series_uid],
          [t('stewards.objectUid'), one.sop_instance_uid],
        ]}
      />
      <Section title={t('stewards.says')}>
        {one.contents && !Object.values(one.contents).some(Boolean) ? (
          <Dim>{t('stewards.saysNothing')}</Dim>
        ) : one.contents ? (
          <ContentsFacts of={one.contents} beside={one.known} />
        ) : (
          <Dim>{t('stewards.unreadable')}</Dim>
        )}
      </Section>
      {one.known && (
        <Section title={t('stewards.known')}>
          <ContentsFacts of={one.known} beside={one.contents} />
        </Section>
      )}
      {asking && (
        <Ask
          title={t(`stewards.${asking}Title`)}
          text={t(`stewards.${asking}Text`)}
          word={t(`stewards.${asking}`)}
          grave={asking === 'discard'}
          close={() => setAsking(null)}
          act={async (reason) => {
            await api.POST(asking === 'accept' ? '/quarantine/{number}/accept' : '/quarantine/{number}/discard', { params, body: { reason } })
            done()
            void client.invalidateQueries({ queryKey: ['quarantine'] })
            void client.invalidateQueries({ queryKey: ['quarantined', number] })
            void client.invalidateQueries({ queryKey: ['alarms'] })
          }}
        />
      )}
    </>
  )
}

/** What differs from the other one stands out. */
function ContentsFacts({ of, beside }: { of: Contents; beside: Contents | null }) {
  const { t } = useTranslation()
  const shown: Record<keyof Contents, string> = {
    ...of,
    patient_name: names({ name: of.patient_name }).filter(Boolean).join(' '),
    birth_date: day(of.birth_date),
    study_date: day(of.study_date),
  }
  return (
    <Facts
      facts={(Object.keys(shown) as (keyof Contents)[]).map((name) => [
        t(`stewards.content.${name}`),
        shown[name] && beside && beside[name] !== of[name] ? <mark>{shown[name]}</mark> : shown[name],
      ])}
    />
  )
}
