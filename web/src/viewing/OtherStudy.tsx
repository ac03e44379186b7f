import { Loader } from '@mantine/core'
import { useQueries, useQuery } from '@tanstack/react-query'
import { useEffect, useMemo } from 'react'

import { api, data } from '../api/client'
import { ErrorNote } from '../app/errors'
import { loadSeries, stacksOf } from './engine/series'
import type { Viewing } from './model'
import { Entries, Heading } from './SeriesList'

/** Series of a study whose metadata are read at once; a prior's others are rarely wanted. */
const AT_ONCE = 6

/** Another study of the list: its series under a heading of their own, its first images beside the study that is read. */
export function OtherStudy({ study, viewing, shown }: { study: string; viewing: Viewing; shown: ReadonlySet<string | undefined> }) {
  const details = useQuery({
    queryKey: ['study', study],
    queryFn: () => data(api.GET('/studies/{study_uid}', { params: { path: { study_uid: study } } })),
  })
  const content = useMemo(() => details.data?.content ?? [], [details.data])
  const loads = useQueries({
    queries: content.map((one, at) => ({
      queryKey: ['series', study, one.series_uid],
      queryFn: async ({ signal }: { signal: AbortSignal }) => stacksOf(study, one.series_uid, await loadSeries(study, one.series_uid, signal)),
      enabled: at < AT_ONCE,
      staleTime: Infinity,
    })),
  })
  const stacks = loads.flatMap((one) => one.data ?? [])
  const count = stacks.length
  useEffect(() => viewing.know(study, stacks), [viewing, study, count]) // the stacks of a count are always the same
  const first = stacks.find((one) => one.kind === 'images')
  useEffect(() => {
    if (first) viewing.beside(first)
  }, [viewing, first?.id])

  if (details.isPending) return <Loader size="xs" m="xs" />
  if (details.isError) return <ErrorNote error={details.error} again={() => void details.refetch()} />
  return (
    <>
      <Heading study={details.data!} />
      {content.map((one, at) => (
        <Entries
          key={one.series_uid}
          series={one}
          study={study}
          stacks={loads[at]?.data}
          failed={Boolean(loads[at]?.isError)}
          shown={shown}
          choose={(stack) => (stack ? viewing.show(stack) : void loads[at]?.refetch())}
        />
      ))}
    </>
  )
}
