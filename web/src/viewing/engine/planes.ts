/**
 * Planes through a volume, in the coordinates of the patient: where one is, which volume it goes through, and which
 * marks lie on what a viewport shows.
 */
import { cache, getEnabledElement, utilities, type Types } from '@cornerstonejs/core'

import type { Stack } from './series'
import { calibrations, planeScale, type Spacing, type Unmeasured } from './spacing'

export type Vector = [number, number, number]

/** As the server has it: mm, with unit vectors to the right and downwards. */
export interface Plane {
  reference: string
  origin: Vector
  row: Vector
  column: Vector
  /** How thick it is; 0: thin. */
  slab: number
  blend: '' | 'max' | 'min' | 'mean'
}

/** The grid on which images of a stack lie, as it is drawn. */
export interface Volume {
  /** As the engine names it. */
  id: string
  stack: Stack
  /** In the order of the third axis. */
  imageIds: string[]
  /** The middle of the first voxel. */
  origin: Vector
  /** Unit vectors: from column to column, from row to row, from image to image. */
  axes: [Vector, Vector, Vector]
  spacing: Vector
  dimensions: Vector
}

export const dot = (a: Vector, b: Vector) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
export const less = (a: Vector, b: Vector): Vector => [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
export const cross = (a: Vector, b: Vector): Vector => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]

const volumes = new Map<string, Volume>()

/** Makes a volume of the engine known, under the images that it is of. */
export function learn(stack: Stack, volume: Types.IImageVolume): Volume {
  const direction = [...volume.direction] as number[]
  const axis = (at: number) => direction.slice(at, at + 3) as Vector
  const made: Volume = {
    id: volume.volumeId,
    stack,
    imageIds: [...volume.imageIds],
    origin: [...volume.origin] as Vector,
    axes: [axis(0), axis(3), axis(6)],
    spacing: [...volume.spacing] as Vector,
    dimensions: [...volume.dimensions] as Vector,
  }
  for (const id of made.imageIds) volumes.set(id, made)
  return made
}

/** The volume that an image is a part of, once it was opened. */
export const volumeOf = (imageId: string): Volume | undefined => volumes.get(imageId)

const decided = new WeakMap<Volume, { by: object; scale: Spacing | Unmeasured }>()

/** By which scale is measured on planes through a volume, or why nothing is. */
export function scaleOf(volume: Volume): Spacing | Unmeasured {
  const found = decided.get(volume)
  if (found?.by === calibrations()) return found.scale
  const scale = planeScale(volume.stack.instances, volume.spacing)
  decided.set(volume, { by: calibrations(), scale })
  return scale
}

/** The image of a volume that is nearest to a place. */
export function nearest(volume: Volume, place: Vector): string {
  const at = Math.round(dot(less(place, volume.origin), volume.axes[2]) / volume.spacing[2])
  return volume.imageIds[Math.min(Math.max(at, 0), volume.imageIds.length - 1)]!
}

/** Whether all images of a volume are here. */
export const isWhole = (volume: Volume): boolean => volume.imageIds.every((id) => cache.getImage(id) !== undefined)

/** Towards the one who looks, as Cornerstone has it. */
export const normalOf = ({ row, column }: Pick<Plane, 'row' | 'column'>): Vector => cross(column, row)

/** How a plane lies, as it is called. */
export function lieOf(plane: Plane): 'axial' | 'sagittal' | 'coronal' | 'oblique' {
  const [x, y, z] = normalOf(plane).map(Math.abs) as Vector
  const straight = 0.9998
  return z > straight ? 'axial' : x > straight ? 'sagittal' : y > straight ? 'coronal' : 'oblique'
}

/** What our marks say of themselves, as far as it concerns where they are shown. */
interface Placed {
  isVisible?: boolean
  metadata?: { referencedImageId?: string; filmless?: { plane?: Plane; image?: string } }
  data: { handles?: { points?: Vector[] }; contour?: { polyline?: Vector[] } }
}

type Filter = (element: HTMLDivElement, annotations?: Placed[]) => Placed[] | undefined

/** Slabs thinner than this are none; the engine's thinnest is 0.1 mm. */
export const THIN = 0.15

/** How thick what a viewport shows is, in mm; 0 where it is thin. The engine tells half of it: on either side of the middle. */
export function thicknessOf(view: Types.IVolumeViewport): number {
  const found = (view as unknown as { getSlabThickness(): number }).getSlabThickness() * 2
  return found > THIN ? Math.round(found * 1e3) / 1e3 : 0
}

/**
 * Lets a tool show marks of planes on those planes only, and those of images where these are seen as they are. Each
 * belongs to the volume in which it was measured: another one of the same Frame of Reference has other values there.
 */
export function onlyWhereTheyAre(tool: unknown, planes: boolean): void {
  const one = tool as { filterInteractableAnnotationsForElement: Filter }
  const own = one.filterInteractableAnnotationsForElement.bind(tool)
  one.filterInteractableAnnotationsForElement = (element, annotations = []) => {
    const flat = annotations.filter((each) => !each.metadata?.filmless?.plane)
    if (!planes) return flat.length ? own(element, flat) : []
    const view = getEnabledElement(element)?.viewport as Types.IVolumeViewport | undefined
    if (!view) return []
    const volume = view.getVolumeId()
    const within = (image: string | undefined) => image !== undefined && volumeOf(image)?.id === volume
    const { viewPlaneNormal, focalPoint } = view.getCamera()
    const step = utilities.getTargetVolumeAndSpacingInNormalDir(view, view.getCamera()).spacingInNormalDirection
    const there = (each: Placed) => {
      const plane = each.metadata?.filmless?.plane
      if (!plane || each.isVisible === false || !within(each.metadata?.filmless?.image)) return false
      if (Math.abs(dot(normalOf(plane), viewPlaneNormal as Vector)) < 1 - 1e-5) return false
      const points = [...(each.data.handles?.points ?? []), ...(each.data.contour?.polyline ?? [])]
      return points.every((point) => Math.abs(dot(less(point, focalPoint as Vector), viewPlaneNormal as Vector)) <= step / 2 + 1e-3)
    }
    const here = annotations.filter(there)
    // in a slab an image is not seen as it is
    const seen = thicknessOf(view) ? [] : flat.filter((each) => within(each.metadata?.referencedImageId))
    return seen.length ? [...(own(element, seen) ?? []), ...here] : here
  }
}

