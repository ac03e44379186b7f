/** In which order the studies of a list are read; the viewer itself comes while the list is looked at. */

import type { QueryClient } from '@tanstack/react-query'

/** After what the list itself needs; milliseconds. */
const QUIET = 800

let list: string[] = []

/** To be called when a study of a list is opened. */
export function readInOrder(studies: string[]): void {
  list = studies
}

/** To be called when a study is opened: what it begins with is fetched while the page changes. */
export function opening(client: QueryClient, study: string): void {
  void import('./next').then((next) => next.fetchFirst(client, study))
}

/** The study so many places behind this one, undefined where there is none. */
export function neighbour(study: string, by: number): string | undefined {
  const at = list.indexOf(study)
  return at < 0 ? undefined : list[at + by]
}

async function getReady(): Promise<void> {
  const [{ warmDrawing }] = await Promise.all([import('./engine/warm'), import('./Viewer'), import('./next')])
  // a moment in which nothing else is to be done
  await new Promise<void>((done) => ('requestIdleCallback' in globalThis ? requestIdleCallback(() => done(), { timeout: 3000 }) : setTimeout(done, 200)))
  await warmDrawing()
}

// what fails here is tried again when a study is opened
setTimeout(() => void getReady().catch(() => undefined), QUIET)
