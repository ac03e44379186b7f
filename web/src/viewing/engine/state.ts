/** Softcopy presentation states (PS3.3 A.33, C.10.4, C.10.5, C.11.6, C.11.8): how an image was meant to be seen. */
import { fill } from './bulk'
import { rescaleOf } from './modules'
import type { Frame } from './frames'
import { firstLut, type Lut } from './luts'
import { groupsOf, tagOf } from './overlays'
import { items, numbers, text, type DicomJson, type Instance } from './series'
import type { Tones, Voi } from './tones'

/** Grayscale and color softcopy presentation states. */
export const STATES = ['1.2.840.10008.5.1.4.1.1.11.1', '1.2.840.10008.5.1.4.1.1.11.2']

type Point = [number, number]

/** `display`: its points are parts of the displayed area, else image pixels from the upper left corner. */
export interface Figure {
  kind: string
  points: Point[]
  filled: boolean
  display: boolean
  colour: string
}

export interface Words {
  text: string
  corner: Point | null
  cornerDisplay: boolean
  anchor: Point | null
  anchorDisplay: boolean
  colour: string
}

/** In image pixels, from 0: left, top, right, bottom of the displayed area; `magnify`: screen pixels for one of the image. */
export interface Area {
  box: [number, number, number, number]
  magnify: number | null
}

function imagesOf(item: DicomJson): Map<string, number[]> {
  return new Map(items(item, '00081140').map((one) => [text(one, '00081155'), numbers(one, '00081160')]))
}

function isFor(item: DicomJson, frame: Frame): boolean {
  const images = imagesOf(item)
  // without references an item is for every image of the state
  if (images.size === 0) return true
  const frames = images.get(frame.instance.sop)
  return frames !== undefined && (frames.length === 0 || frames.includes(frame.frame))
}

export class State {
  readonly json: DicomJson
  readonly sop: string
  readonly label: string
  /** SOP Instance UID of each image that it is for, with its frames from 1, none for all. */
  readonly references: Map<string, number[]>
  /** Series Instance UIDs of those images. */
  readonly series: string[]

  constructor(readonly instance: Instance) {
    this.json = instance.json
    this.sop = instance.sop
    const series = items(this.json, '00081115')
    this.series = series.map((one) => text(one, '0020000E'))
    this.references = new Map(series.flatMap((one) => [...imagesOf(one)]))
    this.label = text(this.json, '00700081') || text(this.json, '00700080') || text(this.json, '0008103E')
  }

  /** Fetches what is too long for metadata. */
  async load(signal: AbortSignal): Promise<void> {
    const tables = [items(this.json, '00283000'), items(this.json, '20500010'), items(this.json, '00283110').flatMap((one) => items(one, '00283010'))]
    await fill([...tables.flat().map((one) => one['00283006']), ...groupsOf(this.json).map((one) => this.json[tagOf(one, '3000')])], signal)
  }

  shows({ instance, frame }: Frame): boolean {
    const frames = this.references.get(instance.sop)
    return frames !== undefined && (frames.length === 0 || frames.includes(frame))
  }

  /** Whether its modality LUT is a table: the engine has the values of the image's own. */
  get beyond(): boolean {
    return items(this.json, '00283000').length > 0
  }

  tones(frame: Frame): Tones {
    const image = rescaleOf(frame)
    const slope = numbers(this.json, '00281053')[0] || 1
    const intercept = numbers(this.json, '00281052')[0] ?? 0
    const scale = slope / image.slope
    const offset = intercept - image.intercept * scale
    const before: [number, number] | undefined = Math.abs(scale - 1) < 1e-9 && Math.abs(offset) < 1e-6 ? undefined : [scale, offset]
    const signed = numbers(frame.instance.json, '00280103')[0] === 1 || intercept < 0
    return {
      voi: this.voi(frame, signed) ?? this.whole(frame, slope, intercept),
      presentation: firstLut(this.json, '20500010', false),
      // it decides alone: Photometric Interpretation no longer does (PS3.3 C.11.6.1.2)
      inverse: text(this.json, '20500020') === 'INVERSE',
      before,
    }
  }

  private voi(frame: Frame, signed: boolean): Voi | Lut | null {
    const item = items(this.json, '00283110').find((one) => isFor(one, frame))
    if (!item) return null
    const table = firstLut(item, '00283010', signed)
    if (table) return table
    const said = text(item, '00281056')
    const how = said === 'SIGMOID' || said === 'LINEAR_EXACT' ? said : 'LINEAR'
    const [center, width] = [numbers(item, '00281050')[0], numbers(item, '00281051')[0]]
    if (center === undefined || width === undefined || !(width >= (how === 'LINEAR' ? 1 : Number.MIN_VALUE))) return null
    return { center, width, function: how, name: text(item, '00281055') }
  }

  /** All that the stored bits could hold: a state without a VOI LUT means the identity. */
  private whole(frame: Frame, slope: number, intercept: number): Voi {
    const { json } = frame.instance
    const bits = Math.max(numbers(json, '00280101')[0] ?? 8, 1)
    const stored = numbers(json, '00280103')[0] === 1 ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1]
    const [low, high] = stored.map((value) => value * slope + intercept).sort((a, b) => a - b) as [number, number]
    return { center: (low + high) / 2 + 0.5, width: high - low + 1, function: 'LINEAR', name: '' }
  }

  /** Degrees to turn clockwise, before mirroring. */
  get rotation(): number {
    return (((Math.trunc(numbers(this.json, '00700042')[0] ?? 0) / 90) % 4) + 4) % 4 * 90
  }

  get mirrored(): boolean {
    return text(this.json, '00700041') === 'Y'
  }

  area(frame: Frame): Area | null {
    const item = items(this.json, '0070005A').find((one) => isFor(one, frame))
    const [x0, y0] = item ? numbers(item, '00700052') : []
    const [x1, y1] = item ? numbers(item, '00700053') : []
    if (!item || x0 === undefined || y0 === undefined || x1 === undefined || y1 === undefined) return null
    if ([x0, y0, x1, y1].some((value) => !(Math.abs(value) < 1e6))) return null
    // after turning and mirroring, "top left" is another corner of the image
    const magnify = text(item, '00700100') === 'MAGNIFY' ? numbers(item, '00700103')[0] : undefined
    return {
      box: [Math.min(x0, x1) - 1, Math.min(y0, y1) - 1, Math.max(x0, x1), Math.max(y0, y1)],
      magnify: magnify !== undefined && magnify > 0 ? magnify : null,
    }
  }

  /** Overlay groups that it shows (Overlay Activation Layer, PS3.3 C.11.7). */
  get activeOverlays(): number[] {
    return Array.from({ length: 16 }, (_, at) => 0x6000 + 2 * at).filter((one) => text(this.json, tagOf(one, '1001')) !== '')
  }

  /** What is drawn on a frame, the lowest layer first. */
  drawings(frame: Frame): { figures: Figure[]; words: Words[] } {
    const layers = new Map(items(this.json, '00700060').map((one) => [text(one, '00700002'), { order: numbers(one, '00700062')[0] ?? 0, colour: colourOf(one) }]))
    const drawn = items(this.json, '00700001')
      .filter((one) => isFor(one, frame))
      .map((one) => ({ one, layer: layers.get(text(one, '00700002')) ?? { order: 0, colour: '#fff' } }))
      .sort((a, b) => a.layer.order - b.layer.order)
    return {
      figures: drawn.flatMap(({ one, layer }) =>
        items(one, '00700009').map((figure) => ({
          kind: text(figure, '00700023'),
          points: pairs(numbers(figure, '00700022')),
          filled: text(figure, '00700024') === 'Y',
          display: text(figure, '00700005') === 'DISPLAY',
          colour: layer.colour,
        })),
      ),
      words: drawn.flatMap(({ one, layer }) => items(one, '00700008').map((item) => wordsOf(item, layer.colour))),
    }
  }
}

function pairs(values: number[]): Point[] {
  const out: Point[] = []
  for (let at = 0; at + 1 < values.length; at += 2) {
    const point: Point = [values[at]!, values[at + 1]!]
    if (point.every(Number.isFinite)) out.push(point)
  }
  return out
}

function wordsOf(item: DicomJson, colour: string): Words {
  const corner = pairs(numbers(item, '00700010'))[0] ?? null
  const anchor = pairs(numbers(item, '00700014'))[0] ?? null
  return {
    text: text(item, '00700006'),
    corner,
    cornerDisplay: text(item, '00700003') === 'DISPLAY',
    anchor: text(item, '00700015') !== 'N' || !corner ? anchor : null,
    anchorDisplay: text(item, '00700004') === 'DISPLAY',
    colour,
  }
}

/** The colour of a layer: CIELab of the profile connection space (PS3.3 C.10.7.1.1), else its grey. */
function colourOf(layer: DicomJson): string {
  const lab = numbers(layer, '00700401')
  if (lab.length === 3) return ofLab(lab)
  const grey = numbers(layer, '00700066')[0]
  const level = grey === undefined ? 255 : Math.min(Math.max(grey, 0), 0xffff) >> 8
  return `rgb(${level} ${level} ${level})`
}

/** CIELab as DICOM encodes it, in 16 bits, for CSS. */
export function ofLab([l = 0, a = 32896, b = 32896]: number[]): string {
  return `lab(${((l / 65535) * 100).toFixed(2)}% ${((a / 65535) * 255 - 128).toFixed(2)} ${((b / 65535) * 255 - 128).toFixed(2)})`
}
