/**
 * From values to the greys of a screen: VOI LUT or window, presentation LUT, inversion (PS3.4 N.2.1), as the server
 * renders them. What is more than a straight window goes through a table of ours, because the engine has only that.
 */
import { group, rescaleOf } from './modules'
import type { Frame } from './frames'
import { firstLut, fractionAt, span, type Lut } from './luts'
import { items, numbers, text } from './series'
import { windowsOf, type VoiWindow } from './voi'
import { range } from './windows'

export type Voi = VoiWindow | Lut

export interface Tones {
  voi: Voi
  presentation: Lut | null
  inverse: boolean
  /** What the engine's values are multiplied by, and then added to, before they go in: of a presentation state whose
   * modality LUT is not the image's. */
  before?: [number, number]
}

export const isLut = (voi: Voi): voi is Lut => 'entries' in voi

/** Whether what goes into the VOI LUT may be negative (PS3.3 C.11.2.1.1). */
export function negative(frame: Frame): boolean {
  const { json } = frame.instance
  const signed = numbers(json, '00280103')[0] === 1 && items(json, '00283000').length === 0
  return signed || rescaleOf(frame).intercept < 0
}

/** Whether the lowest value is white: MONOCHROME1, or the shape that DX and others say beside it. */
export function isInverse(frame: Frame): boolean {
  const { json } = frame.instance
  return text(json, '00280004') === 'MONOCHROME1' || text(json, '20500020') === 'INVERSE'
}

/** How an image is to be shown at first: a VOI LUT goes before a window. */
export function tonesOf(frame: Frame): Tones {
  const { json } = frame.instance
  const table = firstLut(group(frame, '00289132'), '00283010', negative(frame))
  return { voi: table ?? windowsOf(frame), presentation: firstLut(json, '20500010', false), inverse: isInverse(frame) }
}

/** 0 to 1, by the window's function (PS3.3 C.11.2.1.2, C.11.2.1.3). */
function windowed(x: number, { center, width, function: how }: VoiWindow): number {
  if (how === 'SIGMOID') return 1 / (1 + Math.exp((-4 * (x - center)) / width))
  if (how === 'LINEAR_EXACT') return Math.min(Math.max((x - center) / width + 0.5, 0), 1)
  const { lower, upper } = range(center, width)
  if (x <= lower) return 0
  return x > upper ? 1 : (x - lower) / (upper - lower)
}

/** The grey of a value, 0 to 1. */
export function grey({ voi, presentation, inverse, before }: Tones, engine: number): number {
  const value = before ? engine * before[0] + before[1] : engine
  let out = isLut(voi) ? fractionAt(voi, value) : windowed(value, voi)
  // the table spans the whole range of what comes before it (PS3.3 C.11.6.1.1)
  if (presentation) out = fractionAt({ ...presentation, first: 0 }, out * (presentation.entries.length - 1))
  return inverse ? 1 - out : out
}

/** Whether a straight line between two values says it all; then the engine's own window does. */
export function isStraight({ voi, presentation, before }: Tones): boolean {
  return !before && !presentation && !isLut(voi) && voi.function !== 'SIGMOID'
}

/** [lowest, highest] value between which greys change. */
export function reach({ voi, before }: Tones): [number, number] {
  if (before) {
    const ends = reach({ voi, presentation: null, inverse: false }).map((value) => (value - before[1]) / before[0])
    return [Math.min(...ends), Math.max(...ends)]
  }
  if (isLut(voi)) return span(voi)
  const { center, width } = voi
  if (voi.function === 'SIGMOID') return [center - 1.6 * width, center + 1.6 * width]
  if (voi.function === 'LINEAR_EXACT') return [center - width / 2, center + width / 2]
  const { lower, upper } = range(center, width)
  // a window of 1 is a threshold: the steepest line that there is
  return [lower, Math.max(upper, lower + 1e-5 * Math.max(1, Math.abs(lower)))]
}
