/** Which pixels are padding (PS3.3 C.7.5.1.1.2): black, whatever the window, and no part of what is measured. */
import type { Layout, Samples } from './pixels'
import { numbers, type DicomJson } from './series'

/**
 * 1 for each pixel of padding; null where there is none. `values` are stored values, `cells` whole pixel cells: a padding
 * value that the stored bits cannot hold is looked for there, as scanners write it.
 */
export function paddingOf(values: Samples, cells: Samples | null, json: DicomJson, layout: Layout): Uint8Array | null {
  if (layout.samples !== 1) return null
  const float = json['7FE00008'] ? '00280122' : json['7FE00009'] ? '00280123' : null
  const declared = numbers(json, float ?? '00280120')[0]
  if (declared === undefined || !Number.isFinite(declared)) return null
  const limit = numbers(json, float ? (float === '00280122' ? '00280124' : '00280125') : '00280121')[0] ?? declared
  if (float) return within(values, Math.min(declared, limit), Math.max(declared, limit))
  const ends = [asStored(declared, layout), asStored(limit, layout)]
  const [low, high] = [Math.min(...ends), Math.max(...ends)]
  const bits = layout.stored
  const [bottom, top] = layout.signed ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1]
  if (bottom <= low && high <= top) return within(values, low, high)
  return cells && within(cells, low, high)
}

function within(values: Samples, low: number, high: number): Uint8Array | null {
  let out: Uint8Array | null = null
  for (let at = 0; at < values.length; at += 1) {
    const value = values[at]!
    if (value >= low && value <= high) (out ??= new Uint8Array(values.length))[at] = 1
  }
  return out
}

/** A padding value sent with the other sign (US for signed pixels, SS for unsigned): the same bits as stored. */
function asStored(value: number, { allocated, signed }: Layout): number {
  const size = 2 ** allocated
  if (signed && value >= size / 2) return value - size
  return !signed && value < 0 ? value + size : value
}
