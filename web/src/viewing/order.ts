/** In which order the studies of a list are read; the viewer itself comes while the list is looked at. */

/** After what the list itself needs; milliseconds. */
const QUIET = 800

let list: string[] = []

/** To be called when a study of a list is opened. */
export function readInOrder(studies: string[]): void {
  list = studies
}

/** The study so many places behind this one, undefined where there is none. */
export function neighbour(study: string, by: number): string | undefined {
  const at = list.indexOf(study)
  return at < 0 ? undefined : list[at + by]
}

async function getReady(): Promise<void> {
  const [{ start }, { engine }] = await Promise.all([import('./engine/start'), import('./engine/viewport'), import('./Viewer')])
  await start()
  engine()
}

// what fails here is tried again when a study is opened
setTimeout(() => void getReady().catch(() => undefined), QUIET)
