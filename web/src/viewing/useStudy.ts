/** One of the studies that are open: its series, read as they are needed, and what the viewer knows of them. */
import { useQueries, useQuery } from '@tanstack/react-query'
import { useEffect, useMemo } from 'react'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { day, madeBy } from '../app/format'
import { loadSeries, stacksOf } from './engine/series'
import type { Viewing } from './model'

type Details = components['schemas']['StudyDetails']

/** Series whose metadata are read at once, at the most; the rest when they are chosen. */
const AT_ONCE = 12

/** `row`: which, where one number stands for studies of several patients; 0: not said. */
export const studyQuery = (study: string, row = 0) => ({
  queryKey: row ? ['study', study, row] : ['study', study],
  queryFn: () => data(api.GET('/studies/{study_uid}', { params: { path: { study_uid: study }, query: row ? { row } : {} } })),
})

/** What of a series is one patient's, where several have objects under the study's number. */
interface Only {
  row: number
  /** SOP Instance UIDs: what the objects say of whose they are tells it not always. */
  objects: readonly string[]
}

/** Undefined: all of it. */
export function onlyOf(details: Details, series: string): Only | undefined {
  if (details.other_patients === 0) return undefined
  return { row: details.row, objects: details.content.find((one) => one.series_uid === series)?.objects ?? [] }
}

export const seriesQuery = (study: string, series: string, only?: Only) => ({
  queryKey: only ? ['series', study, series, only.row, only.objects.length, only.objects.at(-1)] : ['series', study, series],
  queryFn: async ({ signal }: { signal: AbortSignal }) => {
    const all = await loadSeries(study, series, signal)
    const its = only && new Set(only.objects)
    return stacksOf(study, series, its ? all.filter((one) => its.has(one.sop)) : all)
  },
  staleTime: Infinity,
})

/**
 * `at`: which of the open studies it is, from 0; `wants`: series to be read besides; `row`: which, where one number stands
 * for studies of several patients. Until that is said (`undecided`) nothing of it is shown.
 */
export function useStudy(viewing: Viewing, study: string, at: number, wants: ReadonlySet<string>, row = 0) {
  const details = useQuery(studyQuery(study, row))
  const mixed = (details.data?.other_patients ?? 0) > 0
  const undecided = mixed && !row
  const content = useMemo(() => (undecided ? [] : (details.data?.content ?? [])), [details.data, undecided])
  const loads = useQueries({
    queries: content.map((one, number) => ({ ...seriesQuery(study, one.series_uid, onlyOf(details.data!, one.series_uid)), enabled: number < AT_ONCE || wants.has(one.series_uid) })),
  })
  const stacks = loads.flatMap((one) => one.data ?? [])
  const state = loads.map((one) => one.status).join()
  const title = details.data ? [madeBy(details.data.modalities), day(details.data.date), details.data.description].filter(Boolean).join(' · ') : ''
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
  return { details, content, loads, stacks, title, mixed, undecided }
}
