import { Button, Group, Radio, SegmentedControl, Textarea } from '@mantine/core'
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { Ask } from '../app/Ask'
import { moment } from '../app/format'
import type { Column } from '../app/Grid'
import { Dot, Facts, ListPage } from '../app/ListPage'
import { usePeople } from '../department/model'

type Emergency = components['schemas']['EmergencyWords']
const PAGE = 100

/** What was opened in emergencies, for the privacy officer to review. */
export default function Emergencies() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const called = usePeople()
  const [waiting, setWaiting] = useState(true)
  const [chosen, choose] = useState<string | null>(null)
  const [reviewing, setReviewing] = useState(false)
  const query = useInfiniteQuery({
    queryKey: ['emergencies', waiting],
    initialPageParam: 0,
    queryFn: ({ pageParam }) =>
      data(api.GET('/emergencies', { params: { query: { waiting, before: pageParam, limit: PAGE } } })),
    getNextPageParam: (page) => (page.emergencies.length === PAGE ? page.emergencies.at(-1)!.id : undefined),
    refetchInterval: 60_000,
  })
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.emergencies) ?? [], [query.data])
  const one = rows.find((row) => String(row.id) === chosen)
  const columns = useMemo<Column<Emergency>[]>(
    () => [
      { id: 'finding', title: t('audit.finding'), width: 116, cell: (row) => <Finding of={row} /> },
      { id: 'at', title: t('audit.at'), width: 130, cell: (row) => moment(row.at) },
      { id: 'who', title: t('audit.who'), width: 110, cell: (row) => called(row.account) },
      { id: 'patient', title: t('audit.patient'), width: 110, cell: (row) => row.patient_id },
      { id: 'reason', title: t('audit.reason'), width: 360, cell: (row) => row.reason },
      { id: 'until', title: t('audit.until'), width: 130, cell: (row) => moment(row.until) },
      { id: 'study', title: t('audit.study'), width: 300, cell: (row) => row.study_uid },
    ],
    [t, called],
  )
  return (
    <>
      <ListPage
        title={t('admin.sections.emergencies')}
        name="emergencies"
        found={query.data && t('audit.waiting', { count: query.data.pages[0]?.waiting ?? 0 })}
        tools={
          <SegmentedControl
            aria-label={t('audit.finding')}
            data={[
              { value: 'waiting', label: t('audit.toReview') },
              { value: 'all', label: t('audit.all') },
            ]}
            value={waiting ? 'waiting' : 'all'}
            onChange={(value) => setWaiting(value === 'waiting')}
          />
        }
        columns={columns}
        rows={rows}
        rowId={(row) => String(row.id)}
        query={query}
        empty={t(waiting ? 'audit.noneToReview' : 'audit.noEmergencies')}
        chosen={chosen}
        choose={choose}
        onEnd={() => query.hasNextPage && !query.isFetching && void query.fetchNextPage()}
        detailsTitle={one && t('audit.emergencyOf', { name: called(one.account) })}
        details={
          one && (
            <>
              {!one.reviewed_at && (
                <Group mb="sm">
                  <Button onClick={() => setReviewing(true)}>{t('audit.review')}</Button>
                </Group>
              )}
              <Facts
                facts={[
                  [t('audit.finding'), <Finding of={one} />],
                  [t('audit.reason'), one.reason],
                  [t('audit.who'), called(one.account) === one.account ? one.account : `${called(one.account)} (${one.account})`],
                  [t('audit.at'), moment(one.at)],
                  [t('audit.until'), moment(one.until)],
                  [t('audit.patient'), [one.patient_id, one.issuer].filter(Boolean).join(' · ')],
                  [t('audit.study'), one.study_uid],
                  [t('audit.reviewedBy'), called(one.reviewed_by)],
                  [t('audit.reviewedAt'), moment(one.reviewed_at)],
                  [t('audit.note'), one.review_note],
                ]}
              />
            </>
          )
        }
      />
      {reviewing && one && (
        <ReviewForm
          of={one}
          close={() => setReviewing(false)}
          done={() => {
            if (waiting) choose(null)
            void client.invalidateQueries({ queryKey: ['emergencies'] })
            void client.invalidateQueries({ queryKey: ['alarms'] })
          }}
        />
      )}
    </>
  )
}

function Finding({ of }: { of: Emergency }) {
  const { t } = useTranslation()
  if (!of.reviewed_at) return <Dot how="warn">{t('audit.toReview')}</Dot>
  return <Dot how={of.finding === 'justified' ? 'good' : 'bad'}>{t(`audit.findings.${of.finding}`)}</Dot>
}

function ReviewForm({ of, close, done }: { of: Emergency; close: () => void; done: () => void }) {
  const { t } = useTranslation()
  const called = usePeople()
  const [finding, setFinding] = useState<'justified' | 'unjustified' | ''>('')
  const [note, setNote] = useState('')
  return (
    <Ask
      title={t('audit.reviewTitle', { name: called(of.account) })}
      text={of.reason}
      word={t('app.actions.save')}
      reason="none"
      ready={finding !== '' && note.trim() !== ''}
      close={close}
      act={async () => {
        await api.POST('/emergencies/{number}/review', {
          params: { path: { number: of.id } },
          body: { finding: finding as 'justified' | 'unjustified', note: note.trim() },
        })
        done()
      }}
    >
      <Radio.Group label={t('audit.finding')} value={finding} onChange={(value) => setFinding(value as 'justified' | 'unjustified')}>
        <Group gap="lg" mt={4}>
          {(['justified', 'unjustified'] as const).map((one) => (
            <Radio key={one} size="xs" value={one} label={t(`audit.findings.${one}`)} />
          ))}
        </Group>
      </Radio.Group>
      <Textarea
        label={t('audit.note')}
        autosize
        minRows={2}
        maxLength={1000}
        value={note}
        onChange={(event) => setNote(event.currentTarget.value.replace(/[\r\n]+/g, ' '))}
      />
    </Ask>
  )
}
