/** Look-up tables of modality, VOI and presentation (PS3.3 C.11.1.1, C.11.2.1.1, C.11.6.1). */
import { decoded, items, numbers, type DicomJson } from './series'

/** `entries` for the inputs from `first` on, each of `bits` bits; inputs outside get the first or last entry. */
export interface Lut {
  first: number
  entries: Uint8Array | Uint16Array
  bits: number
  /** What the object calls it. */
  name: string
}

/**
 * The table of an item of a LUT sequence; null where there is none that can be used. `signed`: what goes in may be
 * negative; a first input of 32768 and more that was sent as US then means a negative one, an old mistake.
 */
export function readLut(item: DicomJson | undefined, signed: boolean): Lut | null {
  if (!item) return null
  const known = read.get(item)
  if (known?.signed === signed) return known.lut
  const lut = made(item, signed)
  // one that is still to be fetched is read again
  if (lut) read.set(item, { signed, lut })
  return lut
}

/** Tables by their items: the same table each time. */
const read = new WeakMap<DicomJson, { signed: boolean; lut: Lut }>()

function made(item: DicomJson, signed: boolean): Lut | null {
  const [count = 0, first, said] = numbers(item, '00283002')
  const element = item['00283006']
  if (first === undefined || said === undefined || !element) return null
  const size = (count & 0xffff) || 65536
  const bytes = element.Value ? null : decoded(element, false)
  const wide = bytes === null || !(said <= 8 && bytes.length < 2 * size)
  const entries = decoded(element, wide).subarray(0, size)
  if (entries.length === 0) return null
  let top = 1
  for (const entry of entries) top = Math.max(top, entry)
  // more bits in the data than the descriptor says, or none said
  const bits = Math.max(said >= 1 && said <= 16 ? said : 0, Math.ceil(Math.log2(top + 1)), 1)
  const name = String(item['00283003']?.Value?.[0] ?? '')
  return { first: signed && first >= 32768 ? first - 65536 : first, entries, bits, name }
}

export const firstLut = (json: DicomJson, tag: string, signed: boolean) => readLut(items(json, tag)[0], signed)

/** The entry of a value, by the nearest whole number. */
export function entryAt(lut: Lut, value: number): number {
  const at = Math.round(value) - lut.first
  return lut.entries[at < 0 ? 0 : at >= lut.entries.length ? lut.entries.length - 1 : at]!
}

/** The same as a part of the full range, 0 to 1. */
export function fractionAt(lut: Lut, value: number): number {
  return entryAt(lut, value) / (2 ** lut.bits - 1)
}

/** [lowest, highest] input between which the table changes. */
export function span({ first, entries }: Lut): [number, number] {
  let low = 0
  let high = entries.length - 1
  while (low < high && entries[low + 1] === entries[0]) low += 1
  while (high > low && entries[high - 1] === entries[entries.length - 1]) high -= 1
  return [first + low, first + high]
}
