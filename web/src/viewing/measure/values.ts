/**
 * Every number that is measured: one place for all tools. On an image, coordinates are (column, row) from the upper
 * left corner of the upper left pixel (PS3.3 C.18.6.1.1), a pixel's centre is at a half, and millimetres are those of
 * scaleAt. On a plane through a volume, coordinates are mm from its origin, if planeScale says that there are such.
 * Statistics are of the pixels, or of the plane's samples, whose centres are inside the outline.
 */
import type { Frame } from '../engine/frames'
import { rescaleOf, rescaleUnit } from '../engine/modules'
import { scaleOf as scaleOfVolume, volumeOf, type Plane } from '../engine/planes'
import { scaleAt, type Spacing } from '../engine/spacing'
import { pixelsOf } from './pixels'
import { samplesOn, type Box } from './reformat'
import type { Annotation, Value } from './shapes'

type Point = [number, number]
type Tool = Annotation['tool']

export interface Numbers {
  values: Value[]
  /** How the size of a pixel is known, where something is in millimetres; "" where nothing is. */
  spacing: NonNullable<Annotation['spacing']>
}

/** What was measured last: an outline is asked for its numbers each time it is drawn. */
const lately = new Map<string, Numbers>()

/** To be called when the size of a pixel is another. */
export function measureAnew(): void {
  lately.clear()
}

/** What a tool measures between these points of a frame. */
export function numbersOf(tool: Tool, points: number[][], frame: Frame): Numbers {
  const key = `${tool} ${frame.id} ${points.join(' ')}`
  const found = lately.get(key)
  if (found) return found
  const made = count(tool, points, {
    scale: scaleOf(points as Point[], frame),
    grey: rescaleUnit(frame) === 'HU' ? 'HU' : 'raw',
    inside: () => samplesIn(tool, points, frame.id) ?? [],
    probe: (at, put) => probed(at, frame, put),
  })
  if (pixelsOf(frame.id)) lately.set(key, made)
  if (lately.size > 500) lately.delete(lately.keys().next().value!)
  return made
}

/** The same on a plane through the volume of which the frame is a part; null where that was not opened yet. */
export function numbersOn(tool: Tool, points: number[][], plane: Plane, frame: Frame): Numbers | null {
  const volume = volumeOf(frame.id)
  if (!volume) return null
  const scale = scaleOfVolume(volume)
  if (typeof scale === 'string') return { values: [], spacing: '' }
  const key = `${tool} ${volume.stack.id} ${JSON.stringify(plane)} ${points.join(' ')}`
  const found = lately.get(key)
  if (found) return found
  const made = count(tool, points, {
    scale,
    grey: rescaleUnit(frame) === 'HU' ? 'HU' : 'raw',
    inside: () => samplesOnPlane(tool, points, plane, frame.id) ?? [],
    probe: ([x, y], put) => put('value', samplesOn(plane, frame.id)?.at(x, y) ?? null, rescaleUnit(frame) === 'HU' ? 'HU' : 'raw'),
  })
  if (samplesOn(plane, frame.id)) lately.set(key, made)
  return made
}

type Put = (name: Value['name'], value: number | null, unit: Value['unit']) => void

/** What is drawn on. */
interface Ground {
  scale: Spacing
  grey: 'HU' | 'raw'
  /** What is inside a closed outline. */
  inside: () => ArrayLike<number>
  probe: (at: Point, put: Put) => void
}

function count(tool: Tool, points: number[][], { scale, grey, inside, probe }: Ground): Numbers {
  const at = points as Point[]
  const known = scale.source !== 'none'
  const values: Value[] = []
  const put: Put = (name, value, unit) => {
    if (value !== null && Number.isFinite(value)) values.push({ name, value, unit })
  }
  const far = (a: Point, b: Point) => Math.hypot((b[0] - a[0]) * scale.column, (b[1] - a[1]) * scale.row)
  const along = known ? 'mm' : 'px'
  if (tool === 'length') put('length', far(at[0]!, at[1]!), along)
  else if (tool === 'angle') put('angle', angle(at[1]!, at[0]!, at[1]!, at[2]!, scale), 'deg')
  else if (tool === 'cobb') put('angle', angle(...level(at[0]!, at[1]!), ...level(at[2]!, at[3]!), scale), 'deg')
  else if (tool === 'bidirectional') {
    put('long', far(at[0]!, at[1]!), along)
    put('short', far(at[2]!, at[3]!), along)
  } else if (tool === 'ratio') {
    const [less, more] = [far(at[0]!, at[1]!), far(at[2]!, at[3]!)].sort((a, b) => a - b) as Point
    put('ratio', more > 0 ? less / more : null, 'ratio')
  } else if (tool === 'probe') probe(at[0]!, put)
  else if (tool === 'ellipse' || tool === 'rectangle' || tool === 'freehand') {
    const outline = outlineOf(tool, at).map(([x, y]) => [x * scale.column, y * scale.row] as Point)
    put('area', tool === 'ellipse' ? ellipseArea(at, scale) : polygonArea(outline), known ? 'mm2' : 'px2')
    put('perimeter', perimeter(outline), along)
    const found = statistics(inside())
    if (found) for (const name of ['mean', 'std', 'min', 'max'] as const) put(name, found[name], grey)
  }
  return { values, spacing: values.some((one) => one.unit.startsWith('mm')) ? scale.source : '' }
}

/** The scale that holds for all of the points; none where they lie in different ones, as in ultrasound regions. */
function scaleOf(points: Point[], frame: Frame): Spacing {
  const [first, ...others] = points.map(([x, y]) => scaleAt(frame.instance.json, frame.frame, x, y))
  const same = (one: Spacing) => one.row === first!.row && one.column === first!.column && one.source === first!.source
  return first && others.every(same) ? first : { row: 1, column: 1, source: 'none' }
}

/** Degrees between a to b and c to d. */
function angle(a: Point, b: Point, c: Point, d: Point, { column, row }: Spacing): number {
  const [x, y] = [(b[0] - a[0]) * column, (b[1] - a[1]) * row]
  const [u, v] = [(d[0] - c[0]) * column, (d[1] - c[1]) * row]
  return (Math.abs(Math.atan2(x * v - y * u, x * u + y * v)) * 180) / Math.PI
}

/** From left to right: which end of an endplate was drawn first says nothing. */
const level = (a: Point, b: Point): [Point, Point] => (b[0] < a[0] ? [b, a] : [a, b])

function probed([x, y]: Point, frame: Frame, put: Put): void {
  const pixels = pixelsOf(frame.id)
  const [column, row] = [Math.floor(x), Math.floor(y)]
  if (!pixels || column < 0 || row < 0 || column >= pixels.columns || row >= pixels.rows) return
  const value = pixels.values[row * pixels.columns + column]!
  const { slope, intercept } = rescaleOf(frame)
  const table = frame.instance.json['00283000'] !== undefined
  if (rescaleUnit(frame) === 'HU') {
    put('value', value, 'HU')
    // as it is stored
    if (!table) put('value', Math.round((value - intercept) / slope), 'raw')
  } else put('value', value, 'raw')
}

/** The corners of what a tool outlines, in pixels; an ellipse as a polygon. */
function outlineOf(tool: Tool, points: Point[]): Point[] {
  if (tool !== 'ellipse') return points
  const { center, u, v } = axes(points)
  return Array.from({ length: 720 }, (_, step) => {
    const [c, s] = [Math.cos((step * Math.PI) / 360), Math.sin((step * Math.PI) / 360)]
    return [center[0] + u[0] * c + v[0] * s, center[1] + u[1] * c + v[1] * s]
  })
}

/** Middle and half axes of an ellipse of which the ends of both axes are given. */
function axes([a, b, c, d]: Point[]): { center: Point; u: Point; v: Point } {
  return {
    center: [(a![0] + b![0]) / 2, (a![1] + b![1]) / 2],
    u: [(b![0] - a![0]) / 2, (b![1] - a![1]) / 2],
    v: [(d![0] - c![0]) / 2, (d![1] - c![1]) / 2],
  }
}

function ellipseArea(points: Point[], { row, column }: Spacing): number {
  const { u, v } = axes(points)
  return Math.PI * Math.abs(u[0] * v[1] - u[1] * v[0]) * row * column
}

function polygonArea(points: Point[]): number {
  const twice = points.reduce((sum, [x, y], at) => {
    const [u, v] = points[(at + 1) % points.length]!
    return sum + x * v - u * y
  }, 0)
  return Math.abs(twice) / 2
}

function perimeter(points: Point[]): number {
  return points.reduce((sum, [x, y], at) => {
    const [u, v] = points[(at + 1) % points.length]!
    return sum + Math.hypot(u - x, v - y)
  }, 0)
}

/** The values inside a closed outline; null where the image has none to measure. */
export function samplesIn(tool: Tool, points: number[][], imageId: string): Float64Array | null {
  const pixels = pixelsOf(imageId)
  if (!pixels) return null
  const found: number[] = []
  each(tool, points as Point[], [0, 0, pixels.columns, pixels.rows], (column, row) => {
    const at = row * pixels.columns + column
    if (!pixels.padding?.[at]) found.push(pixels.values[at]!)
  })
  return Float64Array.from(found)
}

/** The samples inside a closed outline on a plane; null where there are none to be had. */
export function samplesOnPlane(tool: Tool, points: number[][], plane: Plane, imageId: string): Float64Array | null {
  const samples = samplesOn(plane, imageId)
  if (!samples) return null
  const { step, at, bounds } = samples
  const cells = points.map(([x, y]) => [x! / step, y! / step] as Point)
  const found: number[] = []
  each(tool, cells, bounds, (column, row) => {
    const value = at((column + 0.5) * step, (row + 0.5) * step)
    if (value !== null) found.push(value)
  })
  return Float64Array.from(found)
}

/** All cells of a grid of which the centres are inside a closed outline; of columns and rows from the first up to the last. */
function each(tool: Tool, points: Point[], [left, top, right, bottom]: Box, take: (column: number, row: number) => void): void {
  const spans = tool === 'ellipse' ? ellipseSpans(points) : polygonSpans(points)
  const ys = points.map((point) => point[1])
  // an ellipse can reach beyond the ends of tilted axes
  const reach = tool === 'ellipse' ? Math.max(...ys) - Math.min(...ys) : 0
  const last = Math.min(bottom - 1, Math.ceil(Math.max(...ys) + reach))
  for (let row = Math.max(top, Math.floor(Math.min(...ys) - reach)); row <= last; row += 1) {
    for (const [from, to] of spans(row + 0.5)) {
      const end = Math.min(right - 1, Math.floor(to - 0.5))
      for (let column = Math.max(left, Math.ceil(from - 0.5)); column <= end; column += 1) take(column, row)
    }
  }
}

type Spans = (y: number) => [number, number][]

/** Where a horizontal line is inside a polygon, by the even-odd rule. */
function polygonSpans(points: Point[]): Spans {
  return (y) => {
    const cuts: number[] = []
    points.forEach(([x, from], at) => {
      const [u, to] = points[(at + 1) % points.length]!
      if (from <= y !== to <= y) cuts.push(x + ((y - from) / (to - from)) * (u - x))
    })
    cuts.sort((a, b) => a - b)
    return Array.from({ length: cuts.length >> 1 }, (_, at) => [cuts[2 * at]!, cuts[2 * at + 1]!])
  }
}

/** Where a horizontal line is inside an ellipse: center + u cos + v sin. */
function ellipseSpans(points: Point[]): Spans {
  const { center, u, v } = axes(points)
  const det = u[0] * v[1] - u[1] * v[0]
  if (!det) return () => []
  return (y) => {
    // of (x, y) in units of the half axes: (p, q) with p² + q² = 1, both linear in x
    const dy = y - center[1]
    const [p0, p1] = [(-dy * v[0]) / det, v[1] / det]
    const [q0, q1] = [(dy * u[0]) / det, -u[1] / det]
    const [a, b, c] = [p1 * p1 + q1 * q1, p0 * p1 + q0 * q1, p0 * p0 + q0 * q0 - 1]
    const root = b * b - a * c
    if (root < 0) return []
    return [[center[0] + (-b - Math.sqrt(root)) / a, center[0] + (-b + Math.sqrt(root)) / a]]
  }
}

/** Null where there are none. `std`: of all of them, not of a sample. */
export function statistics(values: ArrayLike<number>) {
  const count = values.length
  if (!count) return null
  let [sum, min, max] = [0, Infinity, -Infinity]
  for (let at = 0; at < count; at += 1) {
    const value = values[at]!
    sum += value
    if (value < min) min = value
    if (value > max) max = value
  }
  const mean = sum / count
  let squares = 0
  for (let at = 0; at < count; at += 1) squares += (values[at]! - mean) ** 2
  return { count, mean, std: Math.sqrt(squares / count), min, max }
}

/** How many values lie in each of `bins` equal parts between the lowest and the highest. */
export function histogram(values: ArrayLike<number>, bins: number): number[] {
  const found = statistics(values)
  const counts = new Array<number>(bins).fill(0)
  if (!found) return counts
  const width = (found.max - found.min) / bins || 1
  for (let at = 0; at < values.length; at += 1) {
    const bin = Math.min(bins - 1, Math.floor((values[at]! - found.min) / width))
    counts[bin] = counts[bin]! + 1
  }
  return counts
}
