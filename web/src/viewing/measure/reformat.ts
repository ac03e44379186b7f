/**
 * The values of a plane through a volume, as they are measured: between voxels they are interpolated linearly along all
 * three axes, as they are drawn. On the plane they lie on a grid as fine as the finest side of a voxel, with the plane's
 * origin on a corner of it. In a slab, each is the highest, lowest or mean value along its thickness, in steps of half
 * of that. Outside of the volume, and where padding plays a part, there is no value.
 */
import { dot, less, normalOf, volumeOf, type Plane, type Vector, type Volume } from '../engine/planes'
import { pixelsOf, type Pixels } from './pixels'

/** Of cells of a grid: left, top, right, bottom; the first inside, and the first outside. */
export type Box = [number, number, number, number]

export interface Samples {
  /** From one to the next, in mm. */
  step: number
  /** Cells beyond have no value. */
  bounds: Box
  /** The value at a place on the plane, in mm from its origin; null where there is none. */
  at: (x: number, y: number) => number | null
}

/** Null where an image of the volume is not here, or none of it is known. */
export function samplesOn(plane: Plane, imageId: string): Samples | null {
  const volume = volumeOf(imageId)
  if (!volume) return null
  const slices: Pixels[] = []
  for (const id of volume.imageIds) {
    const pixels = pixelsOf(id)
    if (!pixels) return null
    slices.push(pixels)
  }
  const step = Math.min(...volume.spacing)
  // in voxels, by which one does not divide in each step
  const to = (way: Vector) => volume.axes.map((axis, at) => dot(way, axis) / volume.spacing[at]!) as Vector
  const start = to(less(plane.origin, volume.origin))
  const [row, column, normal] = [to(plane.row), to(plane.column), to(normalOf(plane))]
  const count = plane.slab > 0 ? Math.ceil(plane.slab / (step / 2)) : 0
  const deep = (at: number) => (count ? plane.slab * (at / count - 0.5) : 0)
  const value = voxels(volume, slices)
  const thin = (x: number, y: number, z: number) =>
    value(start[0] + x * row[0] + y * column[0] + z * normal[0], start[1] + x * row[1] + y * column[1] + z * normal[1], start[2] + x * row[2] + y * column[2] + z * normal[2])
  const at = (x: number, y: number) => {
    if (!count) return thin(x, y, 0)
    let [found, sum, least, most] = [0, 0, Infinity, -Infinity]
    for (let one = 0; one <= count; one += 1) {
      const here = thin(x, y, deep(one))
      if (here === null) continue
      found += 1
      sum += here
      if (here < least) least = here
      if (here > most) most = here
    }
    if (!found) return null
    return plane.blend === 'max' ? most : plane.blend === 'min' ? least : sum / found
  }
  return { step, at, bounds: boundsOf(plane, volume, step) }
}

/** The part of a plane's grid on which the volume, seen from the front, lies. */
function boundsOf(plane: Plane, { origin, axes, spacing, dimensions }: Volume, step: number): Box {
  const corners = Array.from({ length: 8 }, (_, corner) => {
    const far = axes.map((_, at) => (corner & (1 << at) ? spacing[at]! * (dimensions[at]! - 1) : 0))
    const place = [0, 1, 2].map((one) => origin[one]! + axes.reduce((sum, axis, at) => sum + axis[one]! * far[at]!, 0)) as Vector
    return less(place, plane.origin)
  })
  const along = (way: Vector) => corners.map((corner) => dot(corner, way) / step)
  const [xs, ys] = [along(plane.row), along(plane.column)]
  return [Math.floor(Math.min(...xs)) - 1, Math.floor(Math.min(...ys)) - 1, Math.ceil(Math.max(...xs)) + 1, Math.ceil(Math.max(...ys)) + 1]
}

/** The value at a place in voxels, 0 in the middle of the first; null outside of the middles of the outermost. */
function voxels({ dimensions }: Volume, slices: Pixels[]): (i: number, j: number, k: number) => number | null {
  const [columns, rows, count] = dimensions
  const near = 1e-4
  const most = [columns - 1, rows - 1, count - 1] as const
  const inside = (value: number, at: 0 | 1 | 2) => value >= -near && value <= most[at] + near
  return (i, j, k) => {
    if (!inside(i, 0) || !inside(j, 1) || !inside(k, 2)) return null
    const x = Math.min(Math.max(Math.floor(i), 0), Math.max(most[0] - 1, 0))
    const y = Math.min(Math.max(Math.floor(j), 0), Math.max(most[1] - 1, 0))
    const z = Math.min(Math.max(Math.floor(k), 0), Math.max(most[2] - 1, 0))
    const u = Math.min(Math.max(i - x, 0), 1)
    const v = Math.min(Math.max(j - y, 0), 1)
    const w = Math.min(Math.max(k - z, 0), 1)
    let sum = 0
    for (let dz = 0; dz < 2; dz += 1) {
      const byZ = dz ? w : 1 - w
      if (byZ === 0) continue
      const { values, padding } = slices[z + dz]!
      for (let dy = 0; dy < 2; dy += 1) {
        const byY = byZ * (dy ? v : 1 - v)
        if (byY === 0) continue
        const at = (y + dy) * columns + x
        if (u < 1) {
          if (padding?.[at]) return null
          sum += byY * (1 - u) * values[at]!
        }
        if (u > 0) {
          if (padding?.[at + 1]) return null
          sum += byY * u * values[at + 1]!
        }
      }
    }
    return sum
  }
}
