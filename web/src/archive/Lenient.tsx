import { Space } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useEffect, useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { names } from '../app/format'
import type { Column } from '../app/Grid'
import { Dim, ListPage, Section } from '../app/ListPage'
import { LenientKinds } from './LenientKinds'
import { WhoseStudy, whoseColumns } from './WhoseStudy'

type Row = components['schemas']['LenientStudy']

/** Studies of which something was stored that is not as the standard asks, what came last first. */
export default function Lenient() {
  const { t } = useTranslation()
  const [chosen, choose] = useState<string | null>(null)
  const query = useInfiniteQuery({
    queryKey: ['lenient'],
    initialPageParam: 0,
    queryFn: ({ pageParam }) => data(api.GET('/flags/warnings', { params: { query: { before: pageParam, limit: 100 } } })),
    getNextPageParam: (page) => page.following || undefined,
  })
  const { hasNextPage, isFetching, isError, fetchNextPage } = query
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.studies) ?? [], [query.data])
  const empty = query.data?.pages.at(-1)?.studies.length === 0
  // a page may be empty although others follow
  useEffect(() => {
    if (empty && hasNextPage && !isFetching && !isError) void fetchNextPage()
  }, [empty, hasNextPage, isFetching, isError, fetchNextPage])
  const one = rows.find((row) => String(row.study.row) === chosen)
  const columns = useMemo<Column<Row>[]>(
    () => [
      ...whoseColumns<Row>(t, (row) => [row.study]),
      { id: 'accession', title: t('archive.column.accession'), width: 130, cell: (row) => row.study.accession_number },
      { id: 'objects', title: t('stewards.lenient.objects'), width: 80, end: true, cell: (row) => row.objects },
    ],
    [t],
  )
  return (
    <ListPage
      title={t('admin.sections.lenient')}
      name="lenient"
      found={query.data && t('stewards.found', { count: rows.length }) + (hasNextPage ? '+' : '')}
      columns={columns}
      rows={rows}
      rowId={(row) => String(row.study.row)}
      query={{ ...query, isPending: query.isPending || (rows.length === 0 && hasNextPage) }}
      empty={t('stewards.lenient.none')}
      chosen={chosen}
      choose={choose}
      onEnd={() => hasNextPage && !isFetching && void fetchNextPage()}
      detailsTitle={one && (names(one.study.patient)[0] || one.study.patient.id)}
      details={
        one && (
          <>
            <WhoseStudy studies={[one.study]} uid={one.study.study_uid} />
            <Section title={t('admin.sections.lenient')}>
              <Dim>{t('stewards.lenient.help')}</Dim>
              <Space h="xs" />
              <LenientKinds study={one.study.study_uid} row={one.study.row} />
            </Section>
          </>
        )
      }
    />
  )
}
