/** The study list's rows: searched by POST, so that no address holds what was looked for; pages as the list needs them. */
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'

import { api, data } from '../api/client'
import type { components } from '../api/schema'

export type Search = components['schemas']['Search']
export type Order = Search['order']

export interface Wanted {
  text: string
  modalities: string[]
  stations: string[]
  institutions: string[]
  bodyParts: string[]
  /** Days back from today, 1 is today alone; 0 is any time. */
  days: number
  /** YYYY-MM-DD, both inclusive; empty where open. */
  from: string
  to: string
  /** Names that sound alike, too. */
  fuzzy: boolean
  order: Order
  descending: boolean
}

export const FIRST: Wanted = {
  text: '',
  modalities: [],
  stations: [],
  institutions: [],
  bodyParts: [],
  days: 0,
  from: '',
  to: '',
  fuzzy: false,
  order: 'date',
  descending: true,
}
const PAGE = 100

function daysBack(days: number): string | undefined {
  if (!days) return undefined
  const first = new Date()
  first.setDate(first.getDate() - days + 1)
  const two = (number: number) => String(number).padStart(2, '0')
  return `${first.getFullYear()}-${two(first.getMonth() + 1)}-${two(first.getDate())}`
}

export function useStudies(wanted: Wanted) {
  return useInfiniteQuery({
    queryKey: ['studies', wanted],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) =>
      data(
        api.POST('/studies/search', {
          signal,
          body: {
            text: wanted.text,
            modalities: wanted.modalities,
            stations: wanted.stations,
            institutions: wanted.institutions,
            body_parts: wanted.bodyParts,
            fuzzy: wanted.fuzzy,
            first_day: daysBack(wanted.days) ?? wanted.from,
            last_day: wanted.to,
            order: wanted.order,
            descending: wanted.descending,
            after: pageParam,
            limit: PAGE,
            count: pageParam === '',
            facets: pageParam === '' ? ['modality', 'station', 'institution', 'body_part'] : [],
          } as Search,
        }),
      ),
    getNextPageParam: (page) => page?.following || undefined,
    placeholderData: (before) => before,
  })
}

/** How many studies got something new since the list was read; [number, take note of them]. */
export function useArrivals(): [number, () => void] {
  const client = useQueryClient()
  const [changed, setChanged] = useState<ReadonlySet<string>>(new Set())

  useEffect(() => {
    const stop = new AbortController()
    const follow = async () => {
      let since: number | undefined
      while (!stop.signal.aborted) {
        try {
          const found = await data(
            api.GET('/studies/changes', {
              params: { query: since === undefined ? {} : { since, wait: 25 } },
              signal: stop.signal,
            }),
          )
          since = found!.seq
          if (found!.changes.length > 0) {
            // that a series has settled is nothing new to look at
            const news = found!.changes.filter((one) => one.what.some((what) => what !== 'settled'))
            if (news.length > 0) setChanged((before) => new Set([...before, ...news.map((one) => one.study_uid)]))
            for (const one of found!.changes) void client.invalidateQueries({ queryKey: ['study', one.study_uid] })
          }
        } catch {
          // signed out, or the server is away: not at full speed
          await new Promise((resolve) => setTimeout(resolve, 5000))
        }
      }
    }
    void follow()
    return () => stop.abort()
  }, [client])

  return [changed.size, () => setChanged(new Set())]
}
