/** Which series goes into which pane: rules of a layout to series, and series on the screen to rules. */
import type { components } from '../../api/schema'
import { frameOf } from '../engine/frames'
import { plane } from '../engine/modules'
import type { Stack } from '../engine/series'

export type Content = components['schemas']['Content']
export type Rule = components['schemas']['PaneRule']
export type Orientation = NonNullable<Rule['orientation']>

/** A series as it is known so far; `stacks`: undefined until its metadata are read, null where they cannot be. */
export interface KnownSeries {
  uid: string
  modality: string
  description: string
  number: string
  images: boolean
  stacks: Stack[] | null | undefined
}

/** A study that is open: what the list says of it, and its series in the order of their numbers. */
export interface Known {
  study: string
  title: string
  series: KnownSeries[]
}

/** How the images of a stack lie in the patient; "" where they do not say. */
export function orientationOf(stack: Stack): Orientation {
  const frame = frameOf(stack.imageIds[Math.floor(stack.imageIds.length / 2)] ?? '')
  const cosines = frame && (plane(frame) as { imageOrientationPatient?: number[] }).imageOrientationPatient
  if (!cosines) return ''
  const [a, b, c, d, e, f] = cosines as [number, number, number, number, number, number]
  const normal = [b * f - c * e, c * d - a * f, a * e - b * d].map(Math.abs)
  const most = Math.max(...normal)
  // within some 25 degrees of it; what is tilted more is oblique
  if (most < 0.9) return 'oblique'
  return (['sagittal', 'coronal', 'axial'] as const)[normal.indexOf(most)]!
}

const small = (text: string) => text.trim().toLowerCase()

/** Whether a series may be meant, by what the list says of it. */
function mayFit(rule: Rule, series: KnownSeries): boolean {
  return (
    series.images &&
    (!rule.modality || series.modality === rule.modality) &&
    (!rule.description || small(series.description) === small(rule.description)) &&
    (rule.number === null || rule.number === undefined || Number(series.number) === rule.number)
  )
}

export type Choice = { stack: Stack } | { read: string } | 'none'

/** The stack that a rule means; `read`: the series whose metadata have to be known before that can be said. */
export function choose(rule: Rule, known: Known): Choice {
  let left = rule.at ?? 0
  for (const series of known.series) {
    if (!mayFit(rule, series)) continue
    if (series.stacks === undefined) return { read: series.uid }
    for (const stack of series.stacks ?? []) {
      if (stack.kind !== 'images' || (rule.orientation && orientationOf(stack) !== rule.orientation)) continue
      if (left === 0) return { stack }
      left -= 1
    }
  }
  return 'none'
}

/** The rule by which this stack is found again in exams like this. */
export function ruleOf(stack: Stack, prior: number, known: Known): Rule {
  const series = known.series.find((one) => one.uid === stack.series)
  const said = series?.description.trim() ?? ''
  const rule: Rule = {
    prior,
    modality: series?.modality ?? stack.modality,
    description: said.length <= 128 ? said : '',
    orientation: orientationOf(stack),
    // a series without words is known by its number only
    number: said ? null : Number(series?.number) || null,
    at: 0,
    view: 'stack',
    window: null,
    invert: false,
    slab: 0,
  }
  for (let at = 0; at <= 100; at += 1) {
    const found = choose({ ...rule, at }, known)
    if (found === 'none') break
    if ('stack' in found && found.stack.id === stack.id) return { ...rule, at }
  }
  return rule
}

/** Of a prior, the stack that is most like this one; `read`: as above. */
export function likest(stack: Stack, known: Known): Choice {
  const series = known.series.filter((one) => one.images && one.modality === stack.modality)
  const open = series.find((one) => one.stacks === undefined)
  if (open) return { read: open.uid }
  const words = new Set(small(stack.description).split(/[^\p{L}\p{N}]+/u).filter(Boolean))
  const wanted = orientationOf(stack)
  let best: Stack | null = null
  let most = -1
  for (const one of series.flatMap((each) => each.stacks ?? [])) {
    if (one.kind !== 'images') continue
    const shared = small(one.description).split(/[^\p{L}\p{N}]+/u).filter((word) => words.has(word)).length
    const points = (orientationOf(one) === wanted ? 100 : 0) + 10 * shared + (one.volume === stack.volume ? 1 : 0)
    if (points > most) [best, most] = [one, points]
  }
  return best ? { stack: best } : 'none'
}
