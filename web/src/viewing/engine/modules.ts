/**
 * What Cornerstone asks of an image, answered from our server's metadata. An answer of our own for each question: what
 * is missing or unreadable in an object has a sound default here, and so can never stop a viewport.
 */
import { metaData, Enums } from '@cornerstonejs/core'

import { frameOf, type Frame } from './frames'
import { items, numbers, text, type DicomJson } from './series'
import { spacingAt } from './spacing'
import { windowsOf } from './voi'

/** The item of a functional group that holds for a frame (PS3.3 C.7.6.16); the object itself where it has none. */
export function group({ instance: { json }, frame }: Frame, tag: string): DicomJson {
  const own = items(json, '52009230')[frame - 1]
  const shared = items(json, '52009229')[0]
  return (own && items(own, tag)[0]) ?? (shared && items(shared, tag)[0]) ?? json
}

export interface Rescale {
  slope: number
  intercept: number
}

/** X-ray angiography and fluoroscopy: their modality LUT leads to intensities, not to what is shown (PS3.3 C.8.7.1.1.2). */
const XRAY = /^1\.2\.840\.10008\.5\.1\.4\.1\.1\.12\.[123]$/

export function isIntensity({ instance: { json, sopClass } }: Frame): boolean {
  return XRAY.test(sopClass) && ['LOG', 'DISP'].includes(text(json, '00281040'))
}

export function rescaleOf(frame: Frame): Rescale {
  if (isIntensity(frame)) return { slope: 1, intercept: 0 }
  const from = group(frame, '00289145')
  const slope = numbers(from, '00281053')[0]
  const intercept = numbers(from, '00281052')[0]
  if (slope === undefined || !Number.isFinite(slope) || slope === 0) return { slope: 1, intercept: 0 }
  return { slope, intercept: intercept !== undefined && Number.isFinite(intercept) ? intercept : 0 }
}

const finite = (values: number[], count: number) => (values.length >= count && values.slice(0, count).every(Number.isFinite) ? values.slice(0, count) : null)

export function plane(frame: Frame) {
  const { json, rows, columns } = frame.instance
  const cosines = finite(numbers(group(frame, '00209116'), '00200037'), 6)
  const position = finite(numbers(group(frame, '00209113'), '00200032'), 3)
  const measures = group(frame, '00289110')
  const thickness = numbers(measures, '00180050')[0]
  const spacing = spacingAt(json, frame.frame)
  const known = spacing.source !== 'none'
  const aspect = finite(numbers(json, '00280034'), 2)
  const lies = cosines && position
  const orientation = lies ? cosines : [1, 0, 0, 0, 1, 0]
  return {
    frameOfReferenceUID: text(json, '00200052') || `${frame.instance.sop}.plane`,
    rows,
    columns,
    // without a spacing these stay away: then Cornerstone counts pixels
    ...(lies || known
      ? {
          imageOrientationPatient: orientation,
          rowCosines: orientation.slice(0, 3),
          columnCosines: orientation.slice(3, 6),
          imagePositionPatient: lies ? position : [0, 0, 0],
        }
      : {}),
    sliceThickness: thickness !== undefined && Number.isFinite(thickness) ? thickness : undefined,
    sliceLocation: numbers(json, '00201041')[0],
    rowPixelSpacing: known ? spacing.row : aspect && aspect[1]! > 0 ? aspect[0]! / aspect[1]! : undefined,
    columnPixelSpacing: known ? spacing.column : aspect ? 1 : undefined,
    pixelSpacing: known ? [spacing.row, spacing.column] : undefined,
  }
}

function pixels({ instance: { json, rows, columns } }: Frame) {
  const allocated = numbers(json, '00280100')[0] ?? 16
  const stored = numbers(json, '00280101')[0] ?? allocated
  const samples = numbers(json, '00280002')[0] ?? 1
  return {
    samplesPerPixel: samples,
    // the engine inverts MONOCHROME1 only
    photometricInterpretation: text(json, '20500020') === 'INVERSE' && samples === 1 ? 'MONOCHROME1' : text(json, '00280004') || 'MONOCHROME2',
    rows,
    columns,
    bitsAllocated: allocated,
    bitsStored: stored,
    highBit: numbers(json, '00280102')[0] ?? stored - 1,
    pixelRepresentation: numbers(json, '00280103')[0] ?? 0,
    planarConfiguration: numbers(json, '00280006')[0] ?? 0,
  }
}

const calibrations = new Map<string, object>()

/** Ultrasound regions as Cornerstone takes them; the same object each time, it compares. */
function calibration({ instance: { json, sop } }: Frame): object | undefined {
  const regions = items(json, '00186011')
  if (regions.length === 0) return undefined
  const made = calibrations.get(sop) ?? {
    sequenceOfUltrasoundRegions: regions.map((one) => {
      const number = (tag: string) => numbers(one, tag)[0] ?? NaN
      return {
        regionLocationMinX0: number('00186018'),
        regionLocationMinY0: number('0018601A'),
        regionLocationMaxX1: number('0018601C'),
        regionLocationMaxY1: number('0018601E'),
        regionDataType: number('00186014'),
        physicalUnitsXDirection: number('00186024'),
        physicalUnitsYDirection: number('00186026'),
        physicalDeltaX: number('0018602C'),
        physicalDeltaY: number('0018602E'),
        referencePixelX0: numbers(one, '00186020')[0] ?? 0,
        referencePixelY0: numbers(one, '00186022')[0] ?? 0,
      }
    }),
  }
  calibrations.set(sop, made)
  return made
}

function voi(frame: Frame) {
  const found = windowsOf(frame)
  // what is no straight line is drawn by a table (transfer.ts)
  return { windowCenter: [found.center], windowWidth: [found.width], voiLUTFunction: 'LINEAR' }
}

function rescaled(frame: Frame) {
  const { slope, intercept } = rescaleOf(frame)
  return { rescaleSlope: slope, rescaleIntercept: intercept, rescaleType: rescaleUnit(frame) }
}

/** What the values are called: HU of CT, what the object says else, nothing where it says nothing. */
export function rescaleUnit(frame: Frame): string {
  const { json } = frame.instance
  const said = text(group(frame, '00289145'), '00281054')
  if (said && said !== 'US') return said
  return text(json, '00080060') === 'CT' && !text(json, '00080008', 2).includes('LOCALIZER') ? 'HU' : ''
}

const { MetadataModules: M } = Enums
const ANSWERS: Record<string, (frame: Frame) => unknown> = {
  [M.IMAGE_PLANE]: plane,
  [M.IMAGE_PIXEL]: pixels,
  [M.VOI_LUT]: voi,
  [M.MODALITY_LUT]: rescaled,
  [M.CALIBRATION]: calibration,
  calibratedPixelSpacing: calibration,
  [M.GENERAL_SERIES]: ({ instance: { json } }) => ({
    modality: text(json, '00080060') || 'OT',
    seriesInstanceUID: text(json, '0020000E'),
    seriesNumber: Number(text(json, '00200011')) || 0,
    studyInstanceUID: text(json, '0020000D'),
  }),
  [M.SOP_COMMON]: ({ instance }) => ({ sopClassUID: instance.sopClass, sopInstanceUID: instance.sop }),
  [M.TRANSFER_SYNTAX]: ({ instance }) => ({ transferSyntaxUID: instance.transferSyntax }),
  generalImageModule: ({ instance, frame }) => ({ sopInstanceUID: instance.sop, instanceNumber: instance.number, frameNumber: frame }),
  [M.CINE]: ({ instance: { json } }) => ({ frameTime: numbers(json, '00181063')[0], numberOfFrames: Number(text(json, '00280008')) || 1 }),
}

let provided = false

/** Answers Cornerstone's questions from now on. */
export function provide(): void {
  if (provided) return
  provided = true
  metaData.addProvider((type: string, imageId: unknown) => {
    if (typeof imageId !== 'string') return undefined
    const answer = ANSWERS[type]
    const frame = answer && frameOf(imageId)
    return frame ? answer(frame) : undefined
  }, 10_000)
}
