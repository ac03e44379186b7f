/** The list from which a study was opened: the next one of it is warmed up while this one is read. */
import { Enums, imageLoader, imageLoadPoolManager } from '@cornerstonejs/core'
import { useQueryClient, type QueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { useLocation } from 'wouter'

import type { Stack } from './engine/series'
import { start } from './engine/start'
import { hangingQuery } from './hanging/useHanging'
import { neighbour } from './order'
import { seriesQuery, studyQuery } from './useStudy'

/** When warming up begins, after what is read has its first image; milliseconds. */
const QUIET = 1500
/** Images on both sides of the first that are fetched too. */
const AROUND = 2
/** After everything of what is on the screen. */
const LATER = 100

/** Goes to the next study of the list, or to the one before; undefined where there is none. */
export function useNext(study: string): { next?: () => void; previous?: () => void } {
  const [, navigate] = useLocation()
  const to = (by: number) => {
    const found = neighbour(study, by)
    return found ? () => navigate(`/view/${found}`) : undefined
  }
  return { next: to(1), previous: to(-1) }
}

/** Fetches what the next study of the list shows first, once this one is shown. */
export function useWarmUp(study: string, shown: boolean): void {
  const client = useQueryClient()
  useEffect(() => {
    const next = shown ? neighbour(study, 1) : undefined
    if (!next) return
    const timer = setTimeout(() => void warmUp(client, next), QUIET)
    return () => clearTimeout(timer)
  }, [client, study, shown])
}

/** The stack that a study opens with where nothing else is asked for, its metadata read; undefined: none with images. */
async function firstStack(client: QueryClient, study: string): Promise<Stack | undefined> {
  const details = await client.fetchQuery({ ...studyQuery(study), staleTime: 30_000 })
  // whose images are meant has to be asked first
  const first = details?.other_patients ? undefined : details?.content.find((one) => one.images > 0)
  const stack = first && (await client.fetchQuery(seriesQuery(study, first.series_uid)))[0]
  return stack?.kind === 'images' ? stack : undefined
}

const middleOf = (stack: Stack) => (stack.volume ? Math.floor(stack.imageIds.length / 2) : 0)

async function warmUp(client: QueryClient, study: string): Promise<void> {
  try {
    await start()
    const stack = await firstStack(client, study)
    if (!stack) return
    const middle = middleOf(stack)
    for (const id of stack.imageIds.slice(Math.max(0, middle - AROUND), middle + AROUND + 1)) {
      const type = Enums.RequestType.Prefetch
      imageLoadPoolManager.addRequest(() => imageLoader.loadAndCacheImage(id, { requestType: type } as never).then(() => undefined), type, { imageId: id }, LATER)
    }
  } catch (error) {
    // it is fetched when it is opened
    console.info('not warmed up:', error)
  }
}

/** Fetches what a study begins with while the page of the viewer is being drawn: nothing of it waits for the other. */
export async function fetchFirst(client: QueryClient, study: string): Promise<void> {
  try {
    void client.prefetchQuery(hangingQuery(study))
    const [stack] = await Promise.all([firstStack(client, study), start()])
    if (stack) await imageLoader.loadAndCacheImage(stack.imageIds[middleOf(stack)]!, { requestType: Enums.RequestType.Interaction } as never)
  } catch (error) {
    console.info('not fetched ahead:', error)
  }
}
