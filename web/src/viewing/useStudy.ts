/** One of the studies that are open: its series, read as they are needed, and what the viewer knows of them. */
import { useQueries, useQuery } from '@tanstack/react-query'
import { useEffect, useMemo } from 'react'

import { api, data } from '../api/client'
import { day } from '../app/format'
import { loadSeries, stacksOf } from './engine/series'
import type { Viewing } from './model'

/** Series whose metadata are read at once, at the most; the rest when they are chosen. */
const AT_ONCE = 12

export const studyQuery = (study: string) => ({
  queryKey: ['study', study],
  queryFn: () => data(api.GET('/studies/{study_uid}', { params: { path: { study_uid: study } } })),
})

export const seriesQuery = (study: string, series: string) => ({
  queryKey: ['series', study, series],
  queryFn: async ({ signal }: { signal: AbortSignal }) => stacksOf(study, series, await loadSeries(study, series, signal)),
  staleTime: Infinity,
})

/** `at`: which of the open studies it is, from 0; `wants`: series to be read besides. */
export function useStudy(viewing: Viewing, study: string, at: number, wants: ReadonlySet<string>) {
  const details = useQuery(studyQuery(study))
  const content = useMemo(() => details.data?.content ?? [], [details.data])
  const loads = useQueries({
    queries: content.map((one, number) => ({ ...seriesQuery(study, one.series_uid), enabled: number < AT_ONCE || wants.has(one.series_uid) })),
  })
  const stacks = loads.flatMap((one) => one.data ?? [])
  const state = loads.map((one) => one.status).join()
  const title = details.data ? [details.data.modalities.join(' '), day(details.data.date), details.data.description].filter(Boolean).join(' · ') : ''
  useEffect(() => {
    const series = content.map((one, number) => ({
      uid: one.series_uid,
      modality: one.modality,
      description: one.description,
      number: one.number,
      images: one.images > 0,
      stacks: loads[number]?.isError ? null : loads[number]?.data,
    }))
    if (content.length) viewing.know({ study, title, series }, at)
    // what is read never changes: its state tells all
  }, [viewing, study, title, content, state, at])
  return { details, content, loads, stacks, title }
}
