import { Anchor, Button, Group } from '@mantine/core'
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { Ask } from '../app/Ask'
import { day, moment, names } from '../app/format'
import type { Column } from '../app/Grid'
import { Dim, Facts, ListPage, Section } from '../app/ListPage'

type Flag = components['schemas']['FlagWords']
type Side = Flag['patient']

const nameOf = (side: Side) => names(side).filter(Boolean).join(' ')

export default function Doubts() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [chosen, choose] = useState<string | null>(null)
  const [asking, setAsking] = useState(false)
  const query = useInfiniteQuery({
    queryKey: ['flags'],
    initialPageParam: 0,
    queryFn: ({ pageParam }) => data(api.GET('/flags', { params: { query: { before: pageParam, limit: 100 } } })),
    getNextPageParam: (page) => page.following || undefined,
  })
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.flags) ?? [], [query.data])
  const flag = rows.find((one) => String(one.id) === chosen)
  const columns = useMemo<Column<Flag>[]>(
    () => [
      { id: 'kind', title: t('stewards.doubt'), width: 200, cell: (row) => t(`stewards.doubts.${row.kind}`) },
      { id: 'id', title: t('archive.column.patientId'), width: 116, cell: (row) => row.patient.patient_id },
      { id: 'one', title: t('archive.column.patient'), width: 170, cell: (row) => nameOf(row.patient) },
      { id: 'other', title: t('stewards.other'), width: 170, cell: (row) => nameOf(row.other) },
      { id: 'raised', title: t('stewards.raised'), width: 130, cell: (row) => moment(row.raised_at) },
    ],
    [t],
  )
  return (
    <>
      <ListPage
        title={t('admin.sections.doubts')}
        name="doubts"
        found={query.data && t('stewards.found', { count: rows.length }) + (query.hasNextPage ? '+' : '')}
        columns={columns}
        rows={rows}
        rowId={(row) => String(row.id)}
        query={query}
        empty={t('stewards.noDoubts')}
        chosen={chosen}
        choose={choose}
        onEnd={() => query.hasNextPage && !query.isFetching && void query.fetchNextPage()}
        detailsTitle={flag && t(`stewards.doubts.${flag.kind}`)}
        details={
          flag && (
            <>
              <Dim>{t(`stewards.doubtHelp.${flag.kind}`)}</Dim>
              <Group my="sm">
                <Button variant="default" onClick={() => setAsking(true)}>{t('stewards.settle')}</Button>
              </Group>
              <Section title={t('stewards.first')}>
                <Person side={flag.patient} />
              </Section>
              <Section title={t('stewards.other')}>
                <Person side={flag.other} />
              </Section>
              {flag.study_uid && (
                <Section title={t('stewards.studyUid')}>
                  <Anchor component={Link} href={`/view/${flag.study_uid}`} size="sm" style={{ overflowWrap: 'anywhere' }}>
                    {flag.study_uid}
                  </Anchor>
                </Section>
              )}
            </>
          )
        }
      />
      {asking && flag && (
        <Ask
          title={t('stewards.settleTitle')}
          text={t('stewards.settleText')}
          word={t('stewards.settle')}
          close={() => setAsking(false)}
          act={async (reason) => {
            await data(api.POST('/flags/{number}/settle', { params: { path: { number: flag.id } }, body: { reason, raised_at: flag.raised_at } }))
            choose(null)
            await client.invalidateQueries({ queryKey: ['flags'] })
          }}
        />
      )}
    </>
  )
}

function Person({ side }: { side: Side }) {
  const { t } = useTranslation()
  return (
    <Facts
      facts={[
        [t('archive.column.patient'), nameOf(side)],
        [t('archive.column.patientId'), side.patient_id],
        [t('stewards.content.issuer'), side.issuer],
        [t('archive.column.birthDate'), day(side.birth_date)],
      ]}
    />
  )
}
