/** Cornerstone's annotations as those of our server, and back. Pixels are from the upper left corner of the image. */
import { metaData } from '@cornerstonejs/core'
import type { Types } from '@cornerstonejs/tools'

import type { components } from '../../api/schema'
import { frameOf } from '../engine/frames'
import { TOOLS } from '../engine/tools'
import { numbersOf, pixelsOf, type Numbers } from './values'

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

interface Plane {
  origin: Vector
  row: Vector
  column: Vector
  /** From one column to the next, and from one row to the next. */
  across: number
  down: number
  frameOfReference: string
}

function planeOf(imageId: string): Plane {
  const found = (metaData.get('imagePlaneModule', imageId) ?? {}) as Record<string, unknown>
  return {
    origin: (found.imagePositionPatient as Vector | undefined) ?? [0, 0, 0],
    row: (found.rowCosines as Vector | undefined) ?? [1, 0, 0],
    column: (found.columnCosines as Vector | undefined) ?? [0, 1, 0],
    across: (found.columnPixelSpacing as number | undefined) || 1,
    down: (found.rowPixelSpacing as number | undefined) || 1,
    frameOfReference: String(found.frameOfReferenceUID ?? ''),
  }
}

const dot = (a: Vector, b: Vector) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
const round = (value: number) => Math.round(value * 1e4) / 1e4

function toPixel(plane: Plane, point: Vector): [number, number] {
  const from: Vector = [point[0] - plane.origin[0], point[1] - plane.origin[1], point[2] - plane.origin[2]]
  return [round(dot(from, plane.row) / plane.across + 0.5), round(dot(from, plane.column) / plane.down + 0.5)]
}

function toWorld(plane: Plane, [x, y]: number[]): Vector {
  const right = (x! - 0.5) * plane.across
  const down = (y! - 0.5) * plane.down
  return [0, 1, 2].map((axis) => plane.origin[axis]! + plane.row[axis]! * right + plane.column[axis]! * down) as Vector
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
}

export function markOf(drawn: Drawn): Mark {
  return ((drawn.metadata as { filmless?: Mark }).filmless ??= {})
}

/** The image an annotation is on; undefined where it is on none of ours, or not done yet. */
export function imageOf(drawn: Drawn): string | undefined {
  const id = drawn.metadata.referencedImageId
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
  const imageId = imageOf(drawn)
  if (!tool || !imageId || !drawn.annotationUID || (tool === 'calibration' && !markOf(drawn).known)) return null
  const { instance, frame } = frameOf(imageId)!
  const data = drawn.data as Data
  const plane = planeOf(imageId)
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
  const points = world.map((point) => toPixel(plane, point))
  return {
    id: drawn.annotationUID,
    tool,
    sop: instance.sop,
    frame,
    points,
    world: [],
    ...measured(tool, points, drawn, imageId),
    label: (data.label ?? '').trim().slice(0, 256),
    colour: '',
  }
}

const far = (a: Vector, b: Vector) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])

/** Of reports what they say, of what waits for its image what was kept, of all else what it is now. */
function measured(tool: Tool, points: number[][], drawn: Drawn, imageId: string): Numbers {
  const { report, values = [], spacing = '', known } = markOf(drawn)
  if (report) return { values, spacing }
  if (tool === 'calibration') return { values: known ? [{ name: 'length', value: known, unit: 'mm' }] : [], spacing: '' }
  const made = numbersOf(tool, points, frameOf(imageId)!)
  // without its pixels less is known than was kept
  return made.values.length >= values.length || pixelsOf(imageId) ? made : { values, spacing }
}

/** For Cornerstone, on the image of this id; null where no tool of ours draws it. `report`: where it was read from. */
export function drawnOf(one: Annotation | Measured, imageId: string, report?: string): Drawn | null {
  const tool = one.tool as Tool
  const toolName = NAMES[tool]
  const count = COUNTS[tool]
  if (!toolName || (count !== undefined ? one.points.length !== count : one.points.length < 3)) return null
  const plane = planeOf(imageId)
  let points = one.points
  if (tool === 'rectangle') points = [points[0]!, points[1]!, points[3]!, points[2]!]
  if (tool === 'ellipse') points = upright(points)
  const world = points.map((point) => toWorld(plane, point))
  const [a, b] = [plane.row, plane.column]
  const normal: Vector = [-(a[1] * b[2] - a[2] * b[1]), -(a[2] * b[0] - a[0] * b[2]), -(a[0] * b[1] - a[1] * b[0])]
  const mark: Mark = { report, values: (one.values ?? []) as Value[], spacing: one.spacing as Mark['spacing'] }
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
      referencedImageId: imageId,
      FrameOfReferenceUID: plane.frameOfReference,
      viewPlaneNormal: normal,
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
