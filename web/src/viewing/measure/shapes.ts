/** Cornerstone's annotations as those of our server, and back. Pixels are from the upper left corner of the image. */
import { metaData } from '@cornerstonejs/core'
import type { Types } from '@cornerstonejs/tools'

import type { components } from '../../api/schema'
import { frameOf } from '../engine/frames'
import { nearest, normalOf, volumeOf, type Plane } from '../engine/planes'
import { TOOLS } from '../engine/tools'
import { pixelsOf } from './pixels'
import { samplesOn } from './reformat'
import { numbersOf, numbersOn, type Numbers } from './values'

export type Annotation = components['schemas']['Annotation']
export type Measured = components['schemas']['Measured']
export type Value = components['schemas']['Value']
type Tool = Annotation['tool']
type Vector = [number, number, number]
/** As Cornerstone has it; ours always have metadata. */
export type Drawn = Types.Annotation & { metadata: NonNullable<Types.Annotation['metadata']> }

/** Tools of ours that are kept, by Cornerstone's name. */
const KEPT: Tool[] = ['length', 'angle', 'cobb', 'bidirectional', 'ellipse', 'rectangle', 'freehand', 'probe', 'arrow', 'ratio', 'calibration']
const NAMES: Partial<Record<Tool, string>> = Object.fromEntries(
  KEPT.map((tool) => [tool, TOOLS[tool as keyof typeof TOOLS].class.toolName]),
)
const TOOL_OF = new Map(Object.entries(NAMES).map(([tool, name]) => [name, tool as Tool]))
const COUNTS: Partial<Record<Tool, number>> = {
  ...{ length: 2, angle: 3, cobb: 4, bidirectional: 4, ellipse: 4, rectangle: 4, probe: 1, arrow: 2, ratio: 4, calibration: 2 },
}
/** An outline keeps so many points at the most; the server takes no more. */
const MOST_POINTS = 5000

/** Coordinates on an image or on a plane, and where they are in the patient. */
interface Ground {
  origin: Vector
  row: Vector
  column: Vector
  /** Mm for one, to the right and downwards. */
  across: number
  down: number
  /** Coordinates of the origin: an image has its own in the middle of its first pixel. */
  first: number
  frameOfReference: string
}

/** Coordinates on a plane are mm from its origin, wherever its images are. */
const groundOf = (imageId: string, plane?: Plane | null): Ground =>
  plane ? { ...plane, across: 1, down: 1, first: 0, frameOfReference: plane.reference } : pixelsGround(imageId)

function pixelsGround(imageId: string): Ground {
  const found = (metaData.get('imagePlaneModule', imageId) ?? {}) as Record<string, unknown>
  return {
    origin: (found.imagePositionPatient as Vector | undefined) ?? [0, 0, 0],
    row: (found.rowCosines as Vector | undefined) ?? [1, 0, 0],
    column: (found.columnCosines as Vector | undefined) ?? [0, 1, 0],
    across: (found.columnPixelSpacing as number | undefined) || 1,
    down: (found.rowPixelSpacing as number | undefined) || 1,
    first: 0.5,
    frameOfReference: String(found.frameOfReferenceUID ?? ''),
  }
}

const dot = (a: Vector, b: Vector) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
const round = (value: number) => Math.round(value * 1e4) / 1e4

function toGround({ origin, row, column, across, down, first }: Ground, point: Vector): [number, number] {
  const from: Vector = [point[0] - origin[0], point[1] - origin[1], point[2] - origin[2]]
  return [round(dot(from, row) / across + first), round(dot(from, column) / down + first)]
}

export function toWorld({ origin, row, column, across, down, first }: Ground, [x, y]: number[]): Vector {
  const right = (x! - first) * across
  const low = (y! - first) * down
  return [0, 1, 2].map((axis) => origin[axis]! + row[axis]! * right + column[axis]! * low) as Vector
}

/** The middle of what is drawn, in the patient. */
export function middleOf(one: Pick<Annotation, 'points'>, plane: Plane): Vector {
  const mean = (axis: 0 | 1) => one.points.reduce((sum, point) => sum + point[axis]!, 0) / (one.points.length || 1)
  return toWorld(groundOf('', plane), [mean(0), mean(1)])
}

interface Data {
  label?: string
  handles?: { points?: Vector[] }
  contour?: { polyline?: Vector[]; closed?: boolean }
}

/** What marks annotations that came from reports: they are not part of the draft. */
export interface Mark {
  report?: string
  /** Numbers as they were kept, until the image is shown and they are made anew. */
  values?: Value[]
  spacing?: Annotation['spacing']
  /** Of a calibration: how many mm its line is long. */
  known?: number
  /** Where it is on a plane through a volume: which, and an image of that volume. */
  plane?: Plane
  image?: string
  /** Where its points were when these numbers were made. */
  of?: number[][]
}

export function markOf(drawn: Drawn): Mark {
  return ((drawn.metadata as { filmless?: Mark }).filmless ??= {})
}

/** The image an annotation is on, or of a plane one of its volume; undefined where it is on none of ours, or not done yet. */
export function imageOf(drawn: Drawn): string | undefined {
  const { plane, image } = (drawn.metadata as { filmless?: Mark }).filmless ?? {}
  const id = plane ? image : drawn.metadata.referencedImageId
  return id && frameOf(id) ? id : undefined
}

/** Whether nothing was drawn: a press without a way, which would be a length of nothing. */
export function isNothing(drawn: Drawn): boolean {
  const tool = TOOL_OF.get(drawn.metadata.toolName)
  const points = (drawn.data as Data).handles?.points ?? []
  if (!tool || tool === 'probe' || tool === 'freehand' || points.length < 2) return false
  return points.every((point) => far(point, points[0]!) < 0.01)
}

/** As the server has it; null where it is none that is kept, or not done yet. */
export function plainOf(drawn: Drawn): Annotation | null {
  const tool = TOOL_OF.get(drawn.metadata.toolName)
  const known = imageOf(drawn)
  const mark = markOf(drawn)
  if (!tool || !known || !drawn.annotationUID || (tool === 'calibration' && !mark.known)) return null
  const data = drawn.data as Data
  const ground = groundOf(known, mark.plane)
  let world = tool === 'freehand' ? (data.contour?.polyline ?? []) : (data.handles?.points ?? [])
  if (tool === 'freehand') {
    if (!data.contour?.closed || world.length < 3) return null
    const every = Math.ceil(world.length / MOST_POINTS)
    world = world.filter((_, at) => at % every === 0)
  } else if (world.length !== COUNTS[tool]) return null
  if (tool === 'rectangle') world = [world[0]!, world[1]!, world[3]!, world[2]!]
  if (tool === 'bidirectional' && far(world[2]!, world[3]!) > far(world[0]!, world[1]!)) {
    world = [world[2]!, world[3]!, world[0]!, world[1]!]
  }
  const points = world.map((point) => toGround(ground, point))
  const volume = mark.plane && volumeOf(known)
  const imageId = volume ? nearest(volume, middleOf({ points }, mark.plane!)) : known
  const { instance, frame } = frameOf(imageId)!
  return {
    id: drawn.annotationUID,
    tool,
    sop: instance.sop,
    frame,
    points,
    ...(mark.plane ? { plane: mark.plane } : {}),
    world: [],
    ...measured(tool, points, drawn, imageId),
    label: (data.label ?? '').trim().slice(0, 256),
    colour: '',
  }
}

const far = (a: Vector, b: Vector) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])

/** Of reports what they say; of all else what it is now, with what only pixels tell from when these were last here. */
function measured(tool: Tool, points: number[][], drawn: Drawn, imageId: string): Numbers {
  const mark = markOf(drawn)
  const { report, values = [], spacing = '', known, plane, of } = mark
  if (report) return { values, spacing }
  if (tool === 'calibration') return { values: known ? [{ name: 'length', value: known, unit: 'mm' }] : [], spacing: '' }
  const there = of?.length === points.length && of.every(([x, y], at) => Math.hypot(x! - points[at]![0]!, y! - points[at]![1]!) < 0.01)
  const made = plane ? numbersOn(tool, points, plane, frameOf(imageId)!) : numbersOf(tool, points, frameOf(imageId)!)
  // where its volume is not open
  if (!made) return there ? { values, spacing } : { values: [], spacing: '' }
  if (plane ? samplesOn(plane, imageId) : pixelsOf(imageId)) {
    Object.assign(mark, { values: made.values, spacing: made.spacing, of: points })
    return made
  }
  const grey = there ? values.filter((one) => GREYS.includes(one.name) && !made.values.some((other) => other.name === one.name)) : []
  return { values: [...made.values, ...grey], spacing: made.spacing }
}

const GREYS: Value['name'][] = ['mean', 'std', 'min', 'max', 'value']

/** For Cornerstone, on the image of this id; null where no tool of ours draws it. `report`: where it was read from. */
export function drawnOf(one: Annotation | Measured, imageId: string, report?: string): Drawn | null {
  const tool = one.tool as Tool
  const toolName = NAMES[tool]
  const count = COUNTS[tool]
  if (!toolName || (count !== undefined ? one.points.length !== count : one.points.length < 3)) return null
  const plane = (one.plane ?? undefined) as Plane | undefined
  const ground = groundOf(imageId, plane)
  let points = one.points
  if (tool === 'rectangle') points = [points[0]!, points[1]!, points[3]!, points[2]!]
  if (tool === 'ellipse') points = upright(points)
  const world = points.map((point) => toWorld(ground, point))
  const b = ground.column
  const mark: Mark = { report, values: (one.values ?? []) as Value[], spacing: one.spacing as Mark['spacing'], of: tool === 'ellipse' ? points : one.points, ...(plane ? { plane, image: imageId } : {}) }
  if (tool === 'calibration') mark.known = mark.values?.find((value) => value.name === 'length')?.value
  return {
    annotationUID: report ? `${report}/${one.id}` : one.id,
    highlighted: false,
    autoGenerated: false,
    invalidated: true,
    isLocked: false,
    isVisible: true,
    metadata: {
      toolName,
      ...(plane ? {} : { referencedImageId: imageId }),
      FrameOfReferenceUID: ground.frameOfReference,
      viewPlaneNormal: normalOf(ground),
      viewUp: [-b[0], -b[1], -b[2]],
      filmless: mark,
    },
    data: {
      label: one.label,
      handles: {
        points: tool === 'freehand' ? [] : world,
        activeHandleIndex: null,
        arrowFirst: true,
        textBox: {
          hasMoved: false,
          worldPosition: [0, 0, 0],
          worldBoundingBox: { topLeft: [0, 0, 0], topRight: [0, 0, 0], bottomLeft: [0, 0, 0], bottomRight: [0, 0, 0] },
        },
      },
      ...(tool === 'freehand' ? { contour: { polyline: world, closed: true }, isOpenUShapeContour: false } : {}),
      initialRotation: 0,
      cachedStats: {},
    },
  } as unknown as Drawn
}

/** Of an ellipse: the ends of the steeper axis, lower first, then of the other, left first, as the tool wants them. */
function upright(points: number[][]): number[][] {
  const [a, b, c, d] = points as [number[], number[], number[], number[]]
  const steep = (one: number[], other: number[]) => Math.abs(one[1]! - other[1]!) - Math.abs(one[0]! - other[0]!)
  const [high, wide] = steep(a, b) >= steep(c, d) ? [[a, b], [c, d]] : [[c, d], [a, b]]
  return [...high.sort((one, other) => other[1]! - one[1]!), ...wide.sort((one, other) => one[0]! - other[0]!)]
}
