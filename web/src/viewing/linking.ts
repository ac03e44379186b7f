/** From objects that refer to images to those images. */
import type { QueryClient } from '@tanstack/react-query'

import type { components } from '../api/schema'
import { contentOf, imagesIn, seriesIn, type Reference } from './engine/document'
import { Segmentation } from './engine/segments'
import type { Stack } from './engine/series'
import { State } from './engine/state'
import { frameOf } from './engine/frames'
import type { Over } from './engine/presenting'
import type { Viewing } from './model'
import { onlyOf, seriesQuery } from './useStudy'

/** The longest that tables of a state may take; milliseconds. */
const PATIENCE = 30_000

type Details = components['schemas']['StudyDetails']

/** The image stacks of some series of the study of an object, and of its patient; series that are not here are left out. */
async function stacksIn(queries: QueryClient, { study, instances }: Stack, series: string[]): Promise<Stack[]> {
  const mixed = queries.getQueriesData<Details>({ queryKey: ['study', study] }).flatMap(([, one]) => (one && one.other_patients > 0 ? one : []))
  const own = mixed.find((one) => one.content.some((each) => each.objects.includes(instances[0]!.sop)))
  if (mixed.length > 0 && !own) return []
  const found = await Promise.allSettled([...new Set(series)].filter(Boolean).map((one) => queries.fetchQuery(seriesQuery(study, one, own && onlyOf(own, one)))))
  return found.flatMap((one) => (one.status === 'fulfilled' ? one.value : [])).filter((one) => one.kind === 'images')
}

const holds = (stack: Stack, sop: string) => stack.instances.some((one) => one.sop === sop)

/** What is shown in place of an object that refers to images: their stack, and what lies over it. */
export interface Shown {
  stack: Stack
  over: Partial<Over>
}

/**
 * Null where the images are not here, "beyond" where they would have other greys than are meant. Rejects where what is
 * needed cannot be read.
 */
export async function referred(queries: QueryClient, stack: Stack): Promise<Shown | 'beyond' | null> {
  const first = stack.instances[0]!
  if (stack.kind === 'state') {
    const state = new State(first)
    const target = (await stacksIn(queries, stack, state.series)).find((one) => one.imageIds.some((id) => state.shows(frameOf(id)!)))
    if (!target) return null
    if (state.beyond) return 'beyond'
    await state.load(AbortSignal.timeout(PATIENCE))
    return { stack: target, over: { state } }
  }
  if (stack.kind === 'segmentation') {
    const segmentation = new Segmentation(stack.study, stack.series, first)
    const known = await stacksIn(queries, stack, segmentation.series)
    const target = known.find((one) => one.imageIds.some((id) => segmentation.covers(frameOf(id)!)))
    return target ? { stack: target, over: { segmentation } } : null
  }
  const images = await keyImages(queries, stack)
  return images.length > 0 ? { stack: { ...stack, kind: 'images', imageIds: images, instances: images.map((id) => ({ ...frameOf(id)!.instance, frames: 1 })), volume: false }, over: {} } : null
}

/** The images of a key object selection, in its order. */
async function keyImages(queries: QueryClient, stack: Stack): Promise<string[]> {
  const { json } = stack.instances[0]!
  const stacks = await stacksIn(queries, stack, seriesIn(json))
  return imagesIn(contentOf(json)).flatMap((one) => idOf(stacks, one) ?? [])
}

function idOf(stacks: Stack[], { sop, frame }: Reference): string | undefined {
  return stacks.flatMap((one) => (holds(one, sop) ? one.imageIds : [])).find((id) => {
    const found = frameOf(id)!
    return found.instance.sop === sop && found.frame === frame
  })
}

/** Shows an image that a document refers to, beside the document; false where it is not here. */
export async function follow(queries: QueryClient, viewing: Viewing, from: number, stack: Stack, reference: Reference): Promise<boolean> {
  const stacks = await stacksIn(queries, stack, seriesIn(stack.instances[0]!.json))
  const id = idOf(stacks, reference)
  const target = stacks.find((one) => id !== undefined && one.imageIds.includes(id))
  if (!target) return false
  if (viewing.get().panes.length === 1) viewing.layout(1, 2)
  const to = from === 0 ? 1 : 0
  const image = target.imageIds.indexOf(id!) + 1
  const pane = viewing.get().panes[to]!
  if (pane.stack?.id === target.id) viewing.views.get(pane.id)?.jumpTo(image)
  else viewing.place(target, to, { window: null, invert: false, image })
  return true
}
