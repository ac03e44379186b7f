/** Segmentations over the images that they were made of (PS3.3 A.51, C.8.20): colours with names, each on or off. */
import { frameOf, register, type Frame } from './frames'
import { layoutOf, samplesOf } from './loader'
import { group, plane } from './modules'
import { items, numbers, text, type Instance } from './series'
import { ofLab } from './state'

export const SEGMENTATIONS = ['1.2.840.10008.5.1.4.1.1.66.4', '1.2.840.10008.5.1.4.1.1.66.7']
const LABELS = '1.2.840.10008.5.1.4.1.1.66.7'

export interface Segment {
  number: number
  label: string
  colour: string
}

/** The colours of segments over one image, the size of the image. */
export interface Sheet {
  picture: HTMLCanvasElement
}

/** Told apart by people who do not see all colours alike. */
const COLOURS = ['#e69f00', '#56b4e9', '#009e73', '#f0e442', '#0072b2', '#d55e00', '#cc79a7', '#ff6b6b']
/** The longest that a frame may take; milliseconds. */
const PATIENCE = 45_000
const MOST = 32

interface Placed {
  frame: Frame
  segment: number
  sources: { sop: string; frames: number[] }[]
}

type Vector = [number, number, number]
type Plane = ReturnType<typeof plane>
const dot = (a: number[], b: number[]) => a[0]! * b[0]! + a[1]! * b[1]! + a[2]! * b[2]!
const cross = (a: number[], b: number[]): Vector => [a[1]! * b[2]! - a[2]! * b[1]!, a[2]! * b[0]! - a[0]! * b[2]!, a[0]! * b[1]! - a[1]! * b[0]!]

export class Segmentation {
  readonly sop: string
  readonly label: string
  readonly segments: Segment[]
  /** Series and objects that it was made of, as far as it says. */
  readonly series: string[]
  readonly sources: Set<string>
  private readonly frames: Placed[]
  private readonly masks = new Map<string, Promise<HTMLCanvasElement>>()
  private readonly sheets = new Map<string, Sheet | null>()

  constructor(
    study: string,
    series: string,
    readonly instance: Instance,
  ) {
    const { json } = instance
    this.sop = instance.sop
    this.label = text(json, '00700080') || text(json, '0008103E')
    this.segments = items(json, '00620002').map((one, at) => {
      const lab = numbers(one, '0062000D')
      return {
        number: Number(text(one, '00620004')) || at + 1,
        label: text(one, '00620005') || text(items(one, '0062000F')[0] ?? {}, '00080104') || String(at + 1),
        colour: lab.length === 3 ? ofLab(lab) : COLOURS[at % COLOURS.length]!,
      }
    })
    this.frames = register(study, series, instance).map((id) => {
      const frame = frameOf(id)!
      const sources = items(group(frame, '00089124'), '00082112').map((one) => ({ sop: text(one, '00081155'), frames: numbers(one, '00081160') }))
      return { frame, segment: Number(text(group(frame, '0062000A'), '0062000B')) || 1, sources }
    })
    const listed = items(json, '00081115')
    this.series = listed.map((one) => text(one, '0020000E'))
    this.sources = new Set([
      ...this.frames.flatMap((one) => one.sources.map((source) => source.sop)),
      ...listed.flatMap((one) => items(one, '0008114A').map((image) => text(image, '00081155'))),
    ])
  }

  /** Its frames that lie in the plane of an image. */
  private at(frame: Frame): Placed[] {
    const said = this.frames.filter((one) =>
      one.sources.some((source) => source.sop === frame.instance.sop && (source.frames.length === 0 || source.frames.includes(frame.frame))),
    )
    if (said.length > 0) return said
    const image = plane(frame)
    return this.frames.filter((one) => coplanar(plane(one.frame), image))
  }

  /** Whether something of it may lie over an image. */
  covers(frame: Frame): boolean {
    return this.at(frame).length > 0
  }

  /** What lies over an image; undefined while it is fetched, then `ready` is called. Segments of `hidden` are left out. */
  sheet(frame: Frame, hidden: ReadonlySet<number>, ready: () => void): Sheet | null | undefined {
    const key = `${frame.id} ${[...hidden].sort().join()}`
    if (this.sheets.has(key)) return this.sheets.get(key)
    void this.made(frame, hidden)
      .catch((error: unknown) => {
        console.error('a segmentation cannot be shown', error)
        return null
      })
      .then((made) => {
        this.sheets.set(key, made)
        if (this.sheets.size > MOST) this.sheets.delete(this.sheets.keys().next().value!)
        ready()
      })
    return undefined
  }

  private async made(frame: Frame, hidden: ReadonlySet<number>): Promise<Sheet | null> {
    const found = this.at(frame)
    if (found.length === 0) return null
    const picture = Object.assign(document.createElement('canvas'), { width: frame.instance.columns, height: frame.instance.rows })
    const context = picture.getContext('2d')!
    context.imageSmoothingEnabled = false
    for (const one of found) {
      const matrix = between(one.frame, frame)
      if (!matrix) continue
      context.setTransform(matrix)
      for (const segment of this.segments) {
        const of = this.instance.sopClass === LABELS ? segment.number : one.segment
        if (of !== segment.number || hidden.has(of)) continue
        context.drawImage(await this.mask(one.frame, segment), 0, 0)
      }
    }
    return { picture }
  }

  private mask(frame: Frame, segment: Segment): Promise<HTMLCanvasElement> {
    const key = `${frame.id} ${segment.number}`
    const found = this.masks.get(key) ?? this.tinted(frame, segment)
    this.masks.delete(key)
    this.masks.set(key, found)
    if (this.masks.size > 4 * MOST) this.masks.delete(this.masks.keys().next().value!)
    return found
  }

  private async tinted(frame: Frame, segment: Segment): Promise<HTMLCanvasElement> {
    const { rows, columns, json, sopClass } = frame.instance
    const { values } = await samplesOf(frame, layoutOf(frame), AbortSignal.timeout(PATIENCE))
    const picture = new ImageData(columns, rows)
    const most = text(json, '00620001') === 'FRACTIONAL' ? numbers(json, '0062000E')[0] || 255 : 1
    for (let at = 0; at < rows * columns; at += 1) {
      const value = sopClass === LABELS ? Number(values[at] === segment.number) : values[at]! / most
      picture.data[4 * at + 3] = Math.min(Math.max(value, 0), 1) * 255
    }
    const made = Object.assign(document.createElement('canvas'), { width: columns, height: rows })
    const context = made.getContext('2d')!
    context.putImageData(picture, 0, 0)
    context.globalCompositeOperation = 'source-in'
    context.fillStyle = segment.colour
    context.fillRect(0, 0, columns, rows)
    return made
  }
}

interface Lying {
  position: number[]
  row: number[]
  column: number[]
  rowSpacing: number
  columnSpacing: number
  reference: string
}

function lying(found: Plane): Lying | null {
  const { imagePositionPatient: position, rowCosines: row, columnCosines: column, rowPixelSpacing, columnPixelSpacing, frameOfReferenceUID: reference } = found
  if (!position || !row || !column || !rowPixelSpacing || !columnPixelSpacing) return null
  return { position, row, column, rowSpacing: rowPixelSpacing, columnSpacing: columnPixelSpacing, reference }
}

function coplanar(one: Plane, other: Plane): boolean {
  const [a, b] = [lying(one), lying(other)]
  if (!a || !b || a.reference !== b.reference) return false
  const normal = cross(b.row, b.column)
  if (Math.abs(Math.abs(dot(cross(a.row, a.column), normal)) - 1) > 1e-3) return false
  const apart = a.position.map((value, axis) => value - b.position[axis]!)
  return Math.abs(dot(apart, normal)) < 0.1 * Math.min(a.rowSpacing, a.columnSpacing, b.rowSpacing, b.columnSpacing)
}

/** From pixels of a segmentation's frame to those of the image; null where they cannot be laid upon each other. */
function between(from: Frame, to: Frame): DOMMatrix | null {
  const [a, b] = [lying(plane(from)), lying(plane(to))]
  if (a && b && coplanar(plane(from), plane(to))) {
    const on = (vector: number[]): [number, number] => [dot(vector, b.row) / b.columnSpacing, dot(vector, b.column) / b.rowSpacing]
    const right = on(a.row.map((value) => value * a.columnSpacing))
    const down = on(a.column.map((value) => value * a.rowSpacing))
    const [x, y] = on(a.position.map((value, axis) => value - b.position[axis]!))
    // positions are of the middle of the first pixel
    return new DOMMatrix([...right, ...down, x + 0.5 - (right[0] + down[0]) / 2, y + 0.5 - (right[1] + down[1]) / 2])
  }
  const same = from.instance.rows === to.instance.rows && from.instance.columns === to.instance.columns
  return same && !a ? new DOMMatrix() : null
}
