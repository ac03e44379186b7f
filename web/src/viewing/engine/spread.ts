/** A window from the values themselves: of a whole image, or of a part of it. */
import { spanning } from './voi'

/** How much of the values may be darker than black, and brighter than white. */
export const ASIDE = 0.005

/** The value below which a part of them lies, and the one above which as many lie; null where there are none. */
export function spread(values: ArrayLike<number>, padding?: ArrayLike<number> | null): [number, number] | null {
  const taken: number[] = []
  // of very many, some tell as much
  const step = Math.max(1, Math.floor(values.length / 1_000_000))
  for (let at = 0; at < values.length; at += step) {
    if (!padding?.[at] && Number.isFinite(values[at]!)) taken.push(values[at]!)
  }
  if (!taken.length) return null
  const sorted = Float64Array.from(taken).sort()
  const at = Math.floor(ASIDE * (sorted.length - 1))
  return [sorted[at]!, sorted[sorted.length - 1 - at]!]
}

/** Centre and width that show them. */
export function windowFor(values: ArrayLike<number>, padding?: ArrayLike<number> | null): { center: number; width: number } | null {
  const found = spread(values, padding)
  return found && spanning(found[0], found[1])
}
