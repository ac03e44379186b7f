import { Drawer, Loader, SegmentedControl, Stack } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { ErrorNote } from '../app/errors'
import { moment } from '../app/format'
import { Grid, type Column } from '../app/Grid'
import { language } from '../i18n'
import type { Kind } from './figures'

type Exam = components['schemas']['BehindExam']

export interface Which {
  code: string
  key: string | null
  name: string
  which: 'of' | 'part'
}

interface Props {
  which: Which
  question: components['schemas']['FiguresIn']
  kind: Kind | undefined
  close: () => void
}

/** The exams behind one number. */
export function Behind({ which, question, kind, close }: Props) {
  const { t } = useTranslation()
  const [, navigate] = useLocation()
  const [part, setPart] = useState<'of' | 'part'>(which.which)
  const query = useInfiniteQuery({
    queryKey: ['statistics', 'behind', question, which.code, which.key, part],
    initialPageParam: 0,
    queryFn: ({ pageParam }) =>
      data(api.POST('/statistics/exams', { body: { ...question, indicator: which.code, key: which.key, which: part, limit: 200, after: pageParam } })),
    getNextPageParam: (page, pages) => {
      const so = pages.reduce((sum, one) => sum + one.exams.length, 0)
      return so < page.count ? so : undefined
    },
  })
  const rows = query.data?.pages.flatMap((page) => page.exams) ?? []
  const zh = language() === 'zh'
  const columns: Column<Exam>[] = [
    { id: 'number', title: t('insight.exam.number'), width: 130, cell: (row) => row.number },
    { id: 'at', title: t('insight.exam.at'), width: 125, cell: (row) => moment(row.at) },
    { id: 'modality', title: t('insight.groups.modality'), width: 70, cell: (row) => row.modality },
    { id: 'procedure', title: t('insight.groups.procedure'), width: 160, cell: (row) => (zh ? row.procedure_zh || row.procedure_en : row.procedure_en || row.procedure_zh) },
    { id: 'state', title: t('insight.exam.state'), width: 110, cell: (row) => (zh ? row.state_zh : row.state_en) },
    { id: 'station', title: t('insight.groups.station'), width: 80, cell: (row) => row.station },
    { id: 'author', title: t('insight.groups.author'), width: 90, cell: (row) => row.author },
  ]
  return (
    <Drawer opened onClose={close} position="right" size="min(100%, 50rem)" title={`${t(`insight.figures.${which.code}`)} · ${which.name} · ${query.data?.pages[0]?.count ?? ''}`}>
      <Stack gap="xs" h="calc(100vh - 5rem)">
        {kind === 'ratio' && (
          <SegmentedControl
            aria-label={t('insight.whichExams')}
            value={part}
            onChange={(value) => setPart(value as 'of' | 'part')}
            data={[
              { value: 'of', label: t('insight.all') },
              { value: 'part', label: t('insight.counted') },
            ]}
          />
        )}
        {query.isError ? (
          <ErrorNote error={query.error} again={() => void query.refetch()} />
        ) : (
          <div style={{ flex: 1, minHeight: 0 }}>
            <Grid
              label={t('insight.whichExams')}
              columns={columns}
              rows={rows}
              rowId={(row) => String(row.exam)}
              onOpen={(row) => navigate(`/exams/${row.exam}`)}
              onEnd={() => query.hasNextPage && !query.isFetching && void query.fetchNextPage()}
              empty={query.isPending ? <Loader size="sm" /> : t('insight.none')}
              autoFocus
            />
          </div>
        )}
      </Stack>
    </Drawer>
  )
}
