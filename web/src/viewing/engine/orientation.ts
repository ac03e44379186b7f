/** Which way is which on the screen: the letters at a viewport's edges (PS3.3 C.7.6.1.1.1). */
import type { Types } from '@cornerstonejs/core'

import { numbers, text, type DicomJson } from './series'

type Vector = [number, number, number]

const AXES: [string, string][] = [
  ['L', 'R'],
  ['P', 'A'],
  ['H', 'F'],
]
const OPPOSITE: Record<string, string> = { L: 'R', R: 'L', P: 'A', A: 'P', H: 'F', F: 'H' }

/** Letters of a direction in the patient: the main one first, others where they are a quarter of it at least. */
export function letters(direction: Vector): string {
  const parts = direction
    .map((value, axis) => ({ letter: AXES[axis]![value >= 0 ? 0 : 1], size: Math.abs(value) }))
    .sort((a, b) => b.size - a.size)
  const most = parts[0]!.size
  if (!(most > 0)) return ''
  return parts
    .filter((part, at) => at === 0 || part.size > 0.25 * most)
    .slice(0, 3)
    .map((part) => part.letter)
    .join('')
}

export interface Edges {
  top: string
  right: string
  bottom: string
  left: string
}

interface View {
  canvas: HTMLCanvasElement
  canvasToWorld: (point: Types.Point2) => Types.Point3
}

function direction(view: View, from: Types.Point2, to: Types.Point2): Vector {
  const a = view.canvasToWorld(from)
  const b = view.canvasToWorld(to)
  return [b[0] - a[0], b[1] - a[1], b[2] - a[2]]
}

/** The letters of a plane through a volume, which always lies in the patient. */
export function directions(view: View): Edges {
  const width = view.canvas.clientWidth || view.canvas.width
  const height = view.canvas.clientHeight || view.canvas.height
  const right = direction(view, [0, height / 2], [width, height / 2])
  const down = direction(view, [width / 2, 0], [width / 2, height])
  const minus = (vector: Vector): Vector => [-vector[0], -vector[1], -vector[2]]
  return { right: letters(right), left: letters(minus(right)), bottom: letters(down), top: letters(minus(down)) }
}

/**
 * The letters of a viewport as it is drawn now: asked of the drawing's own transformation, so that they are true after
 * every flip and rotation. Empty where the object does not say how it lies in the patient.
 */
export function edges(view: View, json: DicomJson | undefined): Edges | null {
  const width = view.canvas.clientWidth || view.canvas.width
  const height = view.canvas.clientHeight || view.canvas.height
  const right = direction(view, [0, height / 2], [width, height / 2])
  const down = direction(view, [width / 2, 0], [width / 2, height])
  if (!json) return null
  const shared = json['52009229']?.Value?.[0] as DicomJson | undefined
  const plane = (shared?.['00209116']?.Value?.[0] ?? json) as DicomJson
  const known = numbers(plane, '00200037').length === 6 || perFrame(json)
  const of = known ? letters : (vector: Vector) => byRowsAndColumns(vector, json)
  const minus = (vector: Vector): Vector => [-vector[0], -vector[1], -vector[2]]
  const found = { right: of(right), left: of(minus(right)), bottom: of(down), top: of(minus(down)) }
  return Object.values(found).some(Boolean) ? found : null
}

function perFrame(json: DicomJson): boolean {
  const first = json['52009230']?.Value?.[0] as DicomJson | undefined
  return first?.['00209116'] !== undefined
}

/** For projections: Patient Orientation (0020,0020) says where rows and columns go. */
function byRowsAndColumns(vector: Vector, json: DicomJson): string {
  const row = text(json, '00200020', 0)
  const column = text(json, '00200020', 1)
  if (!/^[LRPAHF]+$/.test(row) || !/^[LRPAHF]+$/.test(column)) return ''
  // without a place in the patient, x is along a row and y along a column
  const along = Math.abs(vector[0]) >= Math.abs(vector[1])
  const said = along ? row : column
  const positive = (along ? vector[0] : vector[1]) >= 0
  return positive ? said : [...said].map((letter) => OPPOSITE[letter] ?? '').join('')
}
