/**
 * Stored samples to the values and colours that are shown: what every frame goes through once its codec is undone,
 * whatever it was stored in (PS3.3 C.7.6.3, C.11.1).
 */
import { decoded, items, numbers, type DicomJson } from './series'

export type Samples = Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array

export interface Layout {
  rows: number
  columns: number
  samples: number
  allocated: number
  stored: number
  high: number
  signed: boolean
  planar: boolean
  photometric: string
}

/** Native bytes (little endian) as numbers, whole cells of them; `kind` of the pixel data: integers, floats or doubles. */
export function native(bytes: Uint8Array, layout: Layout, kind: 'integer' | 'float' | 'double'): Samples {
  const count = layout.rows * layout.columns * layout.samples
  if (kind === 'integer' && layout.allocated === 1) return bits(bytes, count)
  const width = kind === 'double' ? 8 : kind === 'float' ? 4 : layout.allocated / 8
  const subsampled = layout.photometric === 'YBR_FULL_422' && bytes.length >= (count * 2) / 3 && bytes.length < count
  if (subsampled) return upsampled(bytes, layout)
  if (bytes.length < count * width) throw new Error(`the frame has ${bytes.length} bytes instead of ${count * width}`)
  const aligned = bytes.byteOffset % width === 0 ? bytes : bytes.slice()
  const { buffer, byteOffset: at } = aligned
  if (kind === 'double') return Float32Array.from(new Float64Array(buffer, at, count))
  if (kind === 'float') return new Float32Array(buffer, at, count)
  if (width === 1) return layout.signed ? new Int8Array(buffer, at, count) : new Uint8Array(buffer, at, count)
  if (width === 2) return layout.signed ? new Int16Array(buffer, at, count) : new Uint16Array(buffer, at, count)
  if (width === 4) return layout.signed ? new Int32Array(buffer, at, count) : new Uint32Array(buffer, at, count)
  throw new Error(`${layout.allocated} bits per sample are not shown`)
}

/** One bit for each pixel, the lowest first (PS3.5 8.1.1). */
function bits(bytes: Uint8Array, count: number): Uint8Array {
  if (bytes.length * 8 < count) throw new Error('the frame is too short')
  const out = new Uint8Array(count)
  for (let at = 0; at < count; at += 1) out[at] = (bytes[at >> 3]! >> (at & 7)) & 1
  return out
}

/** Two pixels as Y1 Y2 Cb Cr (PS3.3 C.7.6.3.1.2) as three samples each. */
function upsampled(bytes: Uint8Array, { rows, columns }: Layout): Uint8Array {
  const out = new Uint8Array(rows * columns * 3)
  for (let from = 0, to = 0; to + 5 < out.length; from += 4, to += 6) {
    const cb = bytes[from + 2]!
    const cr = bytes[from + 3]!
    out[to] = bytes[from]!
    out[to + 1] = cb
    out[to + 2] = cr
    out[to + 3] = bytes[from + 1]!
    out[to + 4] = cb
    out[to + 5] = cr
  }
  return out
}

/** Only the bits that are stored: others may hold overlays, or the sign wrongly. */
export function cut<T extends Samples>(values: T, { allocated, stored, high, signed }: Layout): T {
  if (stored >= allocated || stored < 1 || high >= allocated || high + 1 < stored) return values
  const out = values.slice() as T
  const up = 32 - stored
  const down = high + 1 - stored
  for (let at = 0; at < out.length; at += 1) {
    const shifted = (out[at]! >> down) << up
    out[at] = signed ? shifted >> up : shifted >>> up
  }
  return out
}

/** The nearest values that the stored bits hold, of those that loss may have led beyond. */
export function within<T extends Samples>(values: T, { allocated, stored, signed }: Layout): T {
  if (stored >= allocated) return values
  const [low, high] = signed ? [-(2 ** (stored - 1)), 2 ** (stored - 1) - 1] : [0, 2 ** stored - 1]
  return values.map((value) => Math.min(Math.max(value, low), high)) as T
}

/** 8-bit RGB, interleaved, of colour samples. */
export function colours(values: Samples, layout: Layout): Uint8Array {
  const count = layout.rows * layout.columns
  const out = new Uint8Array(count * 3)
  const top = layout.stored > 8 ? 2 ** (layout.stored - 8) : 1
  const ybr = layout.photometric === 'YBR_FULL' || layout.photometric === 'YBR_FULL_422'
  const partial = layout.photometric.startsWith('YBR_PARTIAL')
  for (let at = 0; at < count; at += 1) {
    const [a, b, c] = layout.planar ? [at, at + count, at + 2 * count] : [3 * at, 3 * at + 1, 3 * at + 2]
    const one = values[a]! / top
    const two = values[b]! / top
    const three = values[c]! / top
    if (ybr || partial) {
      // PS3.3 C.7.6.3.1.2
      const y = partial ? 1.1644 * (one - 16) : one
      const [u, v] = [two - 128, three - 128]
      out[3 * at] = clamp(y + (partial ? 1.596 : 1.402) * v)
      out[3 * at + 1] = clamp(y - (partial ? 0.3917 : 0.344136) * u - (partial ? 0.8129 : 0.714136) * v)
      out[3 * at + 2] = clamp(y + (partial ? 2.0173 : 1.772) * u)
    } else {
      out[3 * at] = one
      out[3 * at + 1] = two
      out[3 * at + 2] = three
    }
  }
  return out
}

const clamp = (value: number) => (value < 0 ? 0 : value > 255 ? 255 : Math.round(value))

/** 8-bit RGB of palette indices (PS3.3 C.7.6.3.1.5); null where the palette is not to be had here. */
export function painted(values: Samples, json: DicomJson, signed: boolean): Uint8Array | null {
  const channels = ['1', '2', '3'].map((channel) => {
    const [count = 0, first = 0, depth = 0] = numbers(json, `0028110${channel}`)
    const element = json[`0028120${channel}`]
    const bytes = decoded(element, false)
    const size = count || 65536
    // a descriptor may say 16 bits of entries of 8: the data decide
    const entries = bytes.length >= 2 * size || depth > 8 ? decoded(element, true) : bytes
    return { first: signed && first > 32767 ? first - 65536 : first, entries, size: Math.min(size, entries.length) }
  })
  if (channels.some((one) => one.size === 0)) return null
  let most = 0
  for (const { entries, size } of channels) for (let at = 0; at < size; at += 1) most = Math.max(most, entries[at]!)
  const down = most > 255 ? 8 : 0
  const out = new Uint8Array(values.length * 3)
  channels.forEach(({ first, entries, size }, channel) => {
    for (let at = 0; at < values.length; at += 1) {
      const place = Math.min(Math.max(values[at]! - first, 0), size - 1)
      out[3 * at + channel] = entries[place]! >> down
    }
  })
  return out
}

/** Values after the modality LUT: the look-up table where there is one, else slope and intercept. */
export function modality(values: Samples, json: DicomJson, slope: number, intercept: number): Samples {
  const table = items(json, '00283000')[0]
  if (table) {
    const [count = 0, first = 0, depth = 16] = numbers(table, '00283002')
    const entries = decoded(table['00283006'], depth > 8)
    const size = Math.min(count || 65536, entries.length)
    if (size > 0) {
      const start = first > 32767 && values.some((value) => value < 0) ? first - 65536 : first
      const out = new Uint16Array(values.length)
      for (let at = 0; at < out.length; at += 1) out[at] = entries[Math.min(Math.max(values[at]! - start, 0), size - 1)]!
      return out
    }
  }
  if (slope === 1 && intercept === 0) return values
  const out = new Float32Array(values.length)
  for (let at = 0; at < out.length; at += 1) out[at] = values[at]! * slope + intercept
  return Number.isInteger(slope) && Number.isInteger(intercept) ? narrow(out) : out
}

/** [lowest, highest]; infinite and missing values aside, and what is not 0 in `aside`. */
export function extremes(values: Samples, aside?: Uint8Array): [number, number] {
  let low = Infinity
  let high = -Infinity
  for (let at = 0; at < values.length; at += 1) {
    if (aside?.[at]) continue
    const value = values[at]!
    if (value < low && value !== -Infinity) low = value
    if (value > high && value !== Infinity) high = value
  }
  return low <= high ? [low, high] : [0, 0]
}

/** In the smallest array that the graphics processor takes. */
export function narrow(values: Samples): Samples {
  if (values instanceof Uint8Array || values instanceof Uint16Array || values instanceof Int16Array || values instanceof Int8Array) return values
  const [low, high] = extremes(values)
  if (values instanceof Float32Array || values instanceof Float64Array) {
    if (!values.every(Number.isInteger)) return values instanceof Float32Array ? values : Float32Array.from(values)
  }
  if (low >= 0 && high <= 65535) return Uint16Array.from(values)
  if (low >= -32768 && high <= 32767) return Int16Array.from(values)
  return Float32Array.from(values)
}
