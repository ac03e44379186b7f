/** Overlay planes (PS3.3 C.9.2), in Overlay Data and in unused bits of the pixels (retired, and met every day). */
import type { Layout, Samples } from './pixels'
import { decoded, numbers, type DicomJson } from './series'

/** `bits`: one byte for each cell; its upper left corner at `top` and `left` of the image, from 0, possibly outside. */
export interface Plane {
  group: number
  rows: number
  columns: number
  top: number
  left: number
  bits: Uint8Array
}

const GROUPS = Array.from({ length: 16 }, (_, at) => 0x6000 + 2 * at)
export const tagOf = (overlay: number, element: string) => overlay.toString(16).toUpperCase().padStart(4, '0') + element
/** A larger one is not drawn. */
const MOST_CELLS = 2 ** 28

/** The overlay groups that an object has. */
export const groupsOf = (json: DicomJson) => GROUPS.filter((one) => (numbers(json, tagOf(one, '0010'))[0] ?? 0) > 0)

function placed(json: DicomJson, group: number, bits: (cells: number) => Uint8Array | null): Plane | null {
  const rows = numbers(json, tagOf(group, '0010'))[0] ?? 0
  const columns = numbers(json, tagOf(group, '0011'))[0] ?? 0
  if (!(rows > 0 && columns > 0) || rows * columns > MOST_CELLS) return null
  const [top = 1, left = 1] = numbers(json, tagOf(group, '0050'))
  const found = bits(rows * columns)
  return found && { group, rows, columns, top: top - 1, left: left - 1, bits: found }
}

/** The planes of Overlay Data for a frame (from 1), whose bytes have been fetched; those of `groups` where given. */
export function planesOf(json: DicomJson, frame: number, groups: number[] = groupsOf(json)): Plane[] {
  return groups.flatMap((group) => {
    const made = placed(json, group, (cells) => {
      const bytes = decoded(json[tagOf(group, '3000')], false)
      if (bytes.length === 0) return null
      const planes = Math.max(numbers(json, tagOf(group, '0015'))[0] ?? 1, 1)
      // a single plane belongs to every frame
      const place = planes > 1 ? frame - Math.max(numbers(json, tagOf(group, '0051'))[0] ?? 1, 1) : 0
      if (place < 0 || place >= planes) return null
      const out = new Uint8Array(cells)
      for (let at = 0, bit = place * cells; at < cells; at += 1, bit += 1) out[at] = (bytes[bit >> 3]! >> (bit & 7)) & 1
      return out
    })
    return made ? [made] : []
  })
}

/** The planes in bits of the pixel cells above or below the value (PS3.5 8.1.2 as of 2004). */
export function embeddedOf(json: DicomJson, cells: Samples, layout: Layout): Plane[] {
  if (layout.samples !== 1 || layout.allocated > 32) return []
  return groupsOf(json).flatMap((group) => {
    const bit = numbers(json, tagOf(group, '0102'))[0]
    if (json[tagOf(group, '3000')] || bit === undefined || bit < 0 || bit >= layout.allocated) return []
    if (numbers(json, tagOf(group, '0100'))[0] !== layout.allocated) return []
    const made = placed(json, group, (count) => {
      if (count !== cells.length) return null
      const out = new Uint8Array(count)
      for (let at = 0; at < count; at += 1) out[at] = (cells[at]! >> bit) & 1
      return out
    })
    return made ? [made] : []
  })
}
