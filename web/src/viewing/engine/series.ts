/** Series as the server describes them: metadata per instance, and what of them can be shown how. */
import { problemOf } from '../../api/problem'
import { sessionEnded } from '../../api/session'
import { register } from './frames'

/** An element of DICOM JSON (PS3.18 F.2). */
export interface Element {
  vr: string
  Value?: unknown[]
  InlineBinary?: string
  BulkDataURI?: string
  /** What BulkDataURI refers to, once it was fetched. */
  bytes?: Uint8Array
}

export type DicomJson = Record<string, Element | undefined>

export interface Instance {
  sop: string
  sopClass: string
  transferSyntax: string
  number: number
  frames: number
  rows: number
  columns: number
  json: DicomJson
}

/** What a viewport takes: images in the order in which they are scrolled, or one object that is shown in its own way. */
export interface Stack {
  /** Unique within the study, and the same each time. */
  id: string
  study: string
  series: string
  kind: 'images' | 'video' | 'pdf' | 'report' | 'state' | 'segmentation' | 'keys' | 'other'
  modality: string
  number: string
  description: string
  instances: Instance[]
  imageIds: string[]
  /** A volume can be made of it: parallel slices with equal spacing. */
  volume: boolean
}

const VIDEO = /^1\.2\.840\.10008\.1\.2\.4\.10[0-8]/
const PDF = '1.2.840.10008.5.1.4.1.1.104.1'
const STATE = /^1\.2\.840\.10008\.5\.1\.4\.1\.1\.11\.[12]$/
const SEGMENTATION = /^1\.2\.840\.10008\.5\.1\.4\.1\.1\.66\.[47]$/
const KEYS = '1.2.840.10008.5.1.4.1.1.88.59'
const REPORT = /^1\.2\.840\.10008\.5\.1\.4\.1\.1\.88\./

export function text(json: DicomJson, tag: string, at = 0): string {
  const value = json[tag]?.Value?.[at]
  if (value === null || value === undefined) return ''
  if (typeof value === 'object') return String((value as { Alphabetic?: string }).Alphabetic ?? '')
  return String(value)
}

export function numbers(json: DicomJson, tag: string): number[] {
  return (json[tag]?.Value ?? []).map(Number)
}

export function items(json: DicomJson, tag: string): DicomJson[] {
  return (json[tag]?.Value ?? []) as DicomJson[]
}

const NO_BYTES = new Uint8Array(0)

/** The bytes of a binary element, or its words (little endian); numbers that were sent as numbers as they are. */
export function decoded(element: Element | undefined, words: boolean): Uint8Array | Uint16Array {
  if (!element) return NO_BYTES
  if (element.Value) return Uint16Array.from(element.Value.map(Number))
  const bytes = element.bytes ?? (element.InlineBinary ? Uint8Array.from(atob(element.InlineBinary), (one) => one.charCodeAt(0)) : NO_BYTES)
  if (!words) return bytes
  const even = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice()
  return new Uint16Array(even.buffer, even.byteOffset, even.length >> 1)
}

export function root(study: string, series: string): string {
  return `${location.origin}/dicom-web/studies/${study}/series/${series}`
}

/** Pixels in elements of ELSCINT1's own, which only its makers describe: [maker, form]; null where there are none. */
export function privatePixels(json: DicomJson): [string, string] | null {
  const block = ['10', '11', '12'].find((at) => text(json, `07A100${at}`) === 'ELSCINT1')
  return block && json[`07A1${block}0A`] ? ['ELSCINT1', text(json, `07A1${block}11`)] : null
}

/** The metadata of a series, registered with Cornerstone; instances in no order. */
export async function loadSeries(study: string, series: string, signal?: AbortSignal): Promise<Instance[]> {
  const response = await fetch(`${root(study, series)}/metadata`, {
    headers: { Accept: 'application/dicom+json' },
    credentials: 'same-origin',
    signal,
  })
  if (response.status === 401) sessionEnded()
  if (!response.ok) throw await problemOf(response)
  const found = (await response.json()) as DicomJson[]
  return found.map((json) => ({
    sop: text(json, '00080018'),
    sopClass: text(json, '00080016'),
    transferSyntax: text(json, '00083002') || text(json, '00020010'),
    number: Number(text(json, '00200013')) || 0,
    frames: Number(text(json, '00280008')) || 1,
    rows: Number(text(json, '00280010')) || 0,
    columns: Number(text(json, '00280011')) || 0,
    json,
  }))
}

function position(instance: Instance): number | null {
  const orientation = numbers(instance.json, '00200037')
  const place = numbers(instance.json, '00200032')
  if (orientation.length !== 6 || place.length !== 3 || ![...orientation, ...place].every(Number.isFinite)) return null
  const [a, b, c, d, e, f] = orientation as [number, number, number, number, number, number]
  const normal = [b * f - c * e, c * d - a * f, a * e - b * d]
  return place[0]! * normal[0]! + place[1]! * normal[1]! + place[2]! * normal[2]!
}

/** Slices in the order of their place in the patient; where they have none, by their number. */
export function sorted(instances: Instance[]): Instance[] {
  const places = new Map(instances.map((one) => [one, position(one)]))
  const placed = instances.every((one) => places.get(one) !== null)
  return [...instances].sort((a, b) => {
    const by = placed ? places.get(a)! - places.get(b)! : 0
    return Math.abs(by) > 1e-3 ? by : a.number - b.number || (a.sop < b.sop ? -1 : 1)
  })
}

function isVolume(instances: Instance[]): boolean {
  if (instances.length < 5 || instances.some((one) => one.frames > 1)) return false
  const samples = instances.every((one) => (Number(text(one.json, '00280002')) || 1) === 1)
  const orientation = numbers(instances[0]!.json, '00200037')
  const same = instances.every((one) => {
    const found = numbers(one.json, '00200037')
    return found.length === 6 && found.every((value, at) => Math.abs(value - orientation[at]!) < 1e-3)
  })
  if (!samples || !same) return false
  const places = instances.map(position)
  if (places.some((place) => place === null)) return false
  const gaps = places.slice(1).map((place, at) => place! - places[at]!)
  const middle = [...gaps].sort((a, b) => a - b)[Math.floor(gaps.length / 2)]!
  return middle > 1e-3 && gaps.every((gap) => Math.abs(gap - middle) < Math.max(0.1 * middle, 0.02))
}

/** What kinds of images stand apart: other sizes and other classes are no one stack. */
function group(instance: Instance): string {
  if (instance.frames > 1 || SEGMENTATION.test(instance.sopClass)) return instance.sop
  const orientation = numbers(instance.json, '00200037').map((value) => value.toFixed(2))
  return [instance.sopClass, instance.rows, instance.columns, ...orientation].join('|')
}

/** Float, Double Float and plain Pixel Data (PS3.3 C.7.6.3, C.7.6.24, C.7.6.25). */
const PIXELS = ['7FE00010', '7FE00008', '7FE00009']

const hasPixels = ({ rows, json }: Instance) => rows > 0 && PIXELS.some((tag) => json[tag] !== undefined)

/** What an object is to the viewer. What refers to images of others is shown over those. */
function kindOf(instance: Instance): Stack['kind'] {
  const { sopClass, transferSyntax } = instance
  if (VIDEO.test(transferSyntax)) return 'video'
  if (SEGMENTATION.test(sopClass)) return 'segmentation'
  if (hasPixels(instance)) return 'images'
  if (sopClass === PDF) return 'pdf'
  if (sopClass === KEYS) return 'keys'
  if (STATE.test(sopClass)) return 'state'
  return REPORT.test(sopClass) ? 'report' : 'other'
}

/** A presentation state and a segmentation have names of their own, and so has what a document is about. */
function named(json: DicomJson, kind: Stack['kind']): string {
  const series = text(json, '0008103E') || text(json, '00181030')
  if (kind === 'state' || kind === 'segmentation') return text(json, '00700081') || text(json, '00700080') || series
  if (kind === 'keys' || kind === 'report') return series || text(items(json, '0040A043')[0] ?? {}, '00080104')
  return series
}

/** The stacks of a series, in the order of their first instance. */
export function stacksOf(study: string, series: string, instances: Instance[]): Stack[] {
  const groups = new Map<string, Instance[]>()
  for (const one of [...instances].sort((a, b) => a.number - b.number)) {
    const key = hasPixels(one) ? group(one) : one.sop
    groups.set(key, [...(groups.get(key) ?? []), one])
  }
  return [...groups.values()].map((members) => {
    const first = members[0]!
    const ordered = sorted(members)
    const kind = kindOf(first)
    return {
      id: `${series}/${first.sop}`,
      study,
      series,
      kind,
      modality: text(first.json, '00080060'),
      number: text(first.json, '00200011'),
      description: named(first.json, kind),
      instances: ordered,
      imageIds: kind === 'images' || kind === 'segmentation' ? ordered.flatMap((one) => register(study, series, one)) : [],
      volume: kind === 'images' && isVolume(ordered),
    }
  })
}
