/**
 * The one place that decides how large a pixel is, and how that is known. Everything that shows millimetres asks
 * scaleAt, of planes through a volume planeScale; spacingAt is what the object itself says, by which images are drawn.
 *
 * In order: what a person calibrated; the ultrasound region under the place; Pixel Spacing, which is in the patient
 * (PS3.3 C.7.6.2.1.1) unless the object says otherwise; Imager Pixel Spacing, divided by the magnification where it is
 * given (C.8.7.10); Nominal Scanned Pixel Spacing of scanned film. Where none is there it is pixels, never false mm.
 */
import { items, numbers, text, type DicomJson, type Instance } from './series'

export type Source = 'calibrated' | 'region' | 'patient' | 'magnification' | 'detector' | 'scanned' | 'reformatted' | 'none'

export interface Spacing {
  /** Millimetres from one row to the next, and from one column to the next; 1 and 1 where unknown. */
  row: number
  column: number
  source: Source
}

const NONE: Spacing = { row: 1, column: 1, source: 'none' }

/** What a person calibrated on an image: it holds where the object says just this spacing, as within one region. */
export interface Calibration {
  said: Spacing
  /** How much longer a length is than the object says. */
  factor: number
}

/** SOP Instance UID -> its calibration. */
let calibrated: ReadonlyMap<string, Calibration> = new Map()

/** The calibrations that hold; another object where they are others. */
export const calibrations = (): object => calibrated

/** Takes these calibrations and no others. */
export function calibrate(all: ReadonlyMap<string, Calibration>): void {
  calibrated = all
}

/** The calibration by a line of which it is known how many mm long it is; points in pixels. */
export function calibrationOf(json: DicomJson, frame: number, [from, to]: number[][], mm: number): Calibration | null {
  const said = spacingAt(json, frame, from![0], from![1])
  const length = Math.hypot((to![0]! - from![0]!) * said.column, (to![1]! - from![1]!) * said.row)
  return length > 0 && mm > 0 ? { said, factor: mm / length } : null
}

/** The spacing at a place of a frame, by which is measured; `x` and `y` in pixels from the upper left corner. */
export function scaleAt(json: DicomJson, frame = 1, x?: number, y?: number): Spacing {
  const said = spacingAt(json, frame, x, y)
  const found = calibrated.get(text(json, '00080018'))
  if (!found || (['row', 'column', 'source'] as const).some((key) => said[key] !== found.said[key])) return said
  return { row: said.row * found.factor, column: said.column * found.factor, source: 'calibrated' }
}

function pair(json: DicomJson | undefined, tag: string): [number, number] | null {
  const found = json ? numbers(json, tag) : []
  return found.length === 2 && found.every((value) => Number.isFinite(value) && value > 0) ? [found[0]!, found[1]!] : null
}

/** The functional group of a frame (from 1), from its own groups, else from the shared ones (PS3.3 C.7.6.16). */
function functional(json: DicomJson, frame: number, tag: string): DicomJson | undefined {
  const own = items(json, '52009230')[frame - 1]
  const shared = items(json, '52009229')[0]
  return (own && items(own, tag)[0]) ?? (shared && items(shared, tag)[0])
}

/** The spacing that the object gives at a place of a frame; `x` and `y` in pixels from the upper left corner. */
export function spacingAt(json: DicomJson, frame = 1, x?: number, y?: number): Spacing {
  const regions = items(json, '00186011')
  if (regions.length > 0) return byRegion(regions, x, y)

  const inPatient = pair(functional(json, frame, '00289110'), '00280030') ?? pair(json, '00280030')
  const detector = pair(json, '00181164')
  if (inPatient) {
    const same = detector && detector.every((value, at) => Math.abs(value - inPatient[at]!) < 1e-6)
    // a projection that gives the detector's spacing as Pixel Spacing has not corrected it for its geometry
    const type = text(json, '00280A02')
    const source: Source = detector ? (same && !type ? 'detector' : 'calibrated') : 'patient'
    return { row: inPatient[0], column: inPatient[1], source }
  }
  if (detector) {
    const factor = numbers(json, '00181114')[0]
    if (factor && factor > 0) return { row: detector[0] / factor, column: detector[1] / factor, source: 'magnification' }
    return { row: detector[0], column: detector[1], source: 'detector' }
  }
  const scanned = pair(json, '00182010')
  if (scanned) return { row: scanned[0], column: scanned[1], source: 'scanned' }
  return NONE
}

/** Ultrasound: each region has its own scale (PS3.3 C.8.5.5); only those in cm on both axes measure lengths. */
function byRegion(regions: DicomJson[], x?: number, y?: number): Spacing {
  const whole = regions.filter(isSpatial)
  const at =
    x === undefined || y === undefined
      ? whole.length === 1 && regions.length === 1
        ? whole[0]
        : undefined
      : whole.find((one) => {
          const [left, top, right, bottom] = ['00186018', '0018601A', '0018601C', '0018601E'].map((tag) => numbers(one, tag)[0] ?? NaN)
          return x >= left! && x <= right! && y >= top! && y <= bottom!
        })
  if (!at) return NONE
  const column = Math.abs(numbers(at, '0018602C')[0] ?? NaN) * 10
  const row = Math.abs(numbers(at, '0018602E')[0] ?? NaN) * 10
  return column > 0 && row > 0 ? { row, column, source: 'region' } : NONE
}

function isSpatial(region: DicomJson): boolean {
  // 3 is centimetres (PS3.3 C.8.5.5.1.15)
  return numbers(region, '00186024')[0] === 3 && numbers(region, '00186026')[0] === 3
}

/**
 * Why nothing is measured on planes through a volume: images are on their way or missing, do not say where in the
 * patient they are, are shifted against each other or unevenly far apart, or somebody says that they are of another size.
 */
export type Unmeasured = 'awaited' | 'incomplete' | 'unplaced' | 'uneven' | 'recalibrated'

/**
 * The scale of planes through the volume of these slices: millimetres in the patient, whichever way they are tilted -
 * if the grid that is drawn is where the slices say that they are (PS3.3 C.7.6.2.1.1). `drawn`: mm from column to
 * column, from row to row, from slice to slice of that grid.
 */
export function planeScale(slices: Instance[], drawn: [number, number, number]): Spacing | Unmeasured {
  const [first] = slices
  const cosines = first ? numbers(first.json, '00200037') : []
  const reference = first ? text(first.json, '00200052') : ''
  if (!first || slices.length < 2 || cosines.length !== 6 || !reference) return 'unplaced'
  const size = spacingAt(first.json)
  const close = (a: number, b: number, within: number) => Math.abs(a - b) <= within * Math.abs(b)
  for (const { json } of slices) {
    const said = spacingAt(json)
    if (said.source !== 'patient' || text(json, '00200052') !== reference) return 'unplaced'
    if (!close(said.row, size.row, 1e-4) || !close(said.column, size.column, 1e-4)) return 'uneven'
    if (scaleAt(json).source !== 'patient') return 'recalibrated'
  }
  const [a, b, c, d, e, f] = cosines as [number, number, number, number, number, number]
  const normal = [b * f - c * e, c * d - a * f, a * e - b * d]
  const start = numbers(first.json, '00200032')
  const from = slices.map(({ json }) => numbers(json, '00200032').map((value, axis) => value - start[axis]!))
  const along = from.map((way) => way.reduce((sum, value, axis) => sum + value * normal[axis]!, 0))
  const gap = along.at(-1)! / (slices.length - 1)
  const straight = from.every((way, at) => {
    const aside = way.map((value, axis) => value - along[at]! * normal[axis]!)
    // half a pixel, and a quarter of a slice, are what rounding and couches do
    return Math.hypot(...aside) <= Math.min(size.row, size.column) / 2 && Math.abs(along[at]! - at * gap) <= Math.abs(gap) / 4
  })
  const same = close(drawn[0], size.column, 1e-3) && close(drawn[1], size.row, 1e-3) && close(drawn[2], Math.abs(gap), 1e-3)
  if (!straight || !same || !Number.isFinite(gap) || gap === 0) return 'uneven'
  return { row: 1, column: 1, source: 'reformatted' }
}
