/** How the image of a viewport is presented: its greys, what lies over it, and what a presentation state says of both. */
import { Enums, type Types } from '@cornerstonejs/core'

import { frameOf, type Frame } from './frames'
import { Layer } from './layer'
import { failureOf, isPicture, type Covers } from './loader'
import type { Segmentation } from './segments'
import type { State } from './state'
import { isInverse, isLut, reach, tonesOf, type Tones } from './tones'
import { draw } from './transfer'
import { windowsOf } from './voi'
import { range, windowOf } from './windows'

/** What may lie over images; the same for all of a stack. */
export interface Over {
  overlays: boolean
  state: State | null
  segmentation: Segmentation | null
  hidden: ReadonlySet<number>
  /** Of segments, 0 to 1. */
  opacity: number
}

export const NOTHING_OVER: Over = { overlays: true, state: null, segmentation: null, hidden: new Set(), opacity: 0.4 }

type Bounds = { lower: number; upper: number }

/** The engine's bounds that stand for the tones of a state. */
function bounds(tones: Tones): Bounds {
  if (!isLut(tones.voi) && !tones.before) return range(tones.voi.center, tones.voi.width)
  const [lower, upper] = reach(tones)
  return { lower, upper }
}

function near(a: Bounds, b: Bounds): boolean {
  const same = (one: number, other: number) => Math.abs(one - other) <= 1e-6 * Math.max(1, Math.abs(one), Math.abs(other))
  return same(a.lower, b.lower) && same(a.upper, b.upper)
}

export class Presenter {
  private readonly layer: Layer
  private readonly stops: (() => void)[] = []
  private over: Over = NOTHING_OVER
  private closed = false
  /** The image whose greys were set last, and whether somebody has inverted them. */
  private last = ''
  private inverted = false
  /** State and frame whose window and place were set: whoever changes them afterwards may. */
  private presented = ''

  /** `reset` gives a viewport its own window and place back, `changed` hears of what came late. */
  constructor(
    private readonly view: Types.IStackViewport,
    private readonly reset: () => void,
    private readonly changed: () => void,
  ) {
    this.layer = new Layer(view)
    const hear = (event: Enums.Events, run: () => void) => {
      view.element.addEventListener(event, run)
      this.stops.push(() => view.element.removeEventListener(event, run))
    }
    hear(Enums.Events.STACK_NEW_IMAGE, () => {
      // the engine has taken over the inversion of the image before
      this.last = ''
      this.tone()
    })
    hear(Enums.Events.VOI_MODIFIED, () => this.tone())
    hear(Enums.Events.IMAGE_RENDERED, () => this.drawn())
  }

  close(): void {
    this.closed = true
    for (const stop of this.stops) stop()
    this.layer.close()
  }

  private frame(): Frame | undefined {
    // what is drawn, not what is asked for
    const id = this.view.getCornerstoneImage()?.imageId ?? this.view.getCurrentImageId()
    return id ? frameOf(id) : undefined
  }

  private state(frame: Frame): State | null {
    return this.over.state?.shows(frame) ? this.over.state : null
  }

  private isGrey(): boolean {
    return this.view.getCornerstoneImage()?.color === false
  }

  /** The tones in force: as stored or as the state says, unless somebody has chosen another window. */
  private tones(frame: Frame): Tones {
    const { voiRange, invert } = this.view.getProperties()
    const state = this.state(frame)
    const stored = state ? state.tones(frame) : tonesOf(frame)
    const tones = { ...stored, inverse: Boolean(invert) }
    const own = windowsOf(frame)
    if (!voiRange || near(voiRange, state ? bounds(stored) : range(own.center, own.width))) return tones
    const [center, width] = windowOf(voiRange)
    const how = isLut(stored.voi) ? 'LINEAR' : stored.voi.function
    return { ...tones, voi: { center, width: Math.max(width, 1), function: how, name: '' }, before: undefined }
  }

  /** Gives the engine the tones of what is shown; whether that changed something. */
  tone(): boolean {
    const frame = this.frame()
    if (!frame || this.closed) return false
    this.invert(frame)
    this.present(frame)
    this.inverted = Boolean(this.view.getProperties().invert) !== this.stored(frame)
    return this.isGrey() && draw(this.view, this.tones(frame))
  }

  /** Whether the image itself has white as its lowest value. */
  private stored(frame: Frame): boolean {
    return this.isGrey() && isInverse(frame)
  }

  /** Each image of a stack has its own inversion, which the engine knows of the first one only; what somebody inverted stays so. */
  private invert(frame: Frame): void {
    if (this.last === frame.id) return
    this.last = frame.id
    const own = this.stored(frame)
    // what it goes back to
    ;(this.view as unknown as { initialInvert: boolean }).initialInvert = own
    const wanted = own !== this.inverted
    if (Boolean(this.view.getProperties().invert) !== wanted) this.view.setProperties({ invert: wanted })
  }

  /** The state's window and place once more. */
  again(): void {
    this.presented = ''
    this.tone()
  }

  private drawn(): void {
    const frame = this.frame()
    if (!frame || this.closed) return
    if (this.tone()) this.view.render()
    const { overlays, segmentation, hidden, opacity } = this.over
    // the server's picture has shutter and overlays in it already
    const bare = isPicture(frame.id) || failureOf(frame.id) !== undefined
    const image = this.view.getCornerstoneImage() as unknown as { covers?: Covers } | undefined
    const late = () => {
      if (this.closed) return
      this.drawn()
      this.changed()
    }
    this.layer.draw({
      frame,
      bare,
      covers: image?.covers,
      overlays,
      state: this.state(frame),
      segments: segmentation?.sheet(frame, hidden, late) ?? null,
      opacity,
    })
  }

  /** What lies over the images from now on. Returns the index of the image to be shown instead, -1: stay. */
  cover(over: Over): number {
    const before = this.over
    if (before === over) return -1
    this.over = over
    const frame = this.frame()
    if (before.state !== over.state) {
      this.presented = ''
      if (before.state) this.reset()
      if (over.state && frame && !over.state.shows(frame)) return this.view.getImageIds().findIndex((id) => over.state!.shows(frameOf(id)!))
    }
    this.tone()
    this.view.render()
    return -1
  }

  /** Window and place of the state, once for each frame. */
  private present(frame: Frame): void {
    const state = this.state(frame)
    const now = state ? `${state.sop} ${frame.id}` : ''
    if (this.presented === now) return
    const before = this.presented
    this.presented = now
    if (!state) return void (before && this.reset())
    if (this.isGrey()) {
      const tones = state.tones(frame)
      this.view.setProperties({ voiRange: bounds(tones), invert: tones.inverse })
    }
    this.place(state, frame)
  }

  /** Turned, mirrored, and as large as the state says (PS3.3 C.10.4, C.10.6). */
  private place(state: State, frame: Frame): void {
    const { view } = this
    view.setCamera({ flipHorizontal: false, flipVertical: false })
    view.setViewPresentation({ rotation: 0 })
    view.resetCamera()
    const upright = this.layer.transformation()
    // the engine turns what is mirrored the other way round
    for (const rotation of [state.rotation, (360 - state.rotation) % 360]) {
      view.setCamera({ flipHorizontal: state.mirrored })
      view.setViewPresentation({ rotation })
      if (!upright || isTurned(this.layer.transformation(), upright, state)) break
    }
    const area = state.area(frame)
    const matrix = this.layer.transformation()
    if (!area || !matrix) return
    const { width, height } = view.canvas
    const ratio = width / (view.canvas.clientWidth || 1)
    const box = this.layer.boxOf(matrix, area.box)
    const scale = area.magnify
      ? (area.magnify * ratio * (area.box[2] - area.box[0])) / Math.max(box[2] - box[0], box[3] - box[1], 1e-6)
      : Math.min(width / (box[2] - box[0]), height / (box[3] - box[1]))
    if (!(scale > 1e-3 && scale < 1e3)) return
    view.setZoom(view.getZoom() * scale)
    const moved = this.layer.transformation()
    if (!moved) return
    const now = this.layer.boxOf(moved, area.box)
    const pan = view.getPan()
    view.setPan([pan[0] + (width / 2 - (now[0] + now[2]) / 2) / ratio, pan[1] + (height / 2 - (now[1] + now[3]) / 2) / ratio])
  }

  /** What a pane's corners say of it. */
  said(): { tones: string; state: 'shown' | 'not-for-this' | null } {
    const frame = this.frame()
    if (!frame) return { tones: '', state: null }
    const { voi, presentation } = this.tones(frame)
    const names = [isLut(voi) ? voi.name || 'LUT' : voi.function === 'LINEAR' ? '' : voi.function.replace('_', ' '), presentation ? 'P-LUT' : '']
    const state = this.over.state && (this.over.state.shows(frame) ? 'shown' : 'not-for-this')
    return { tones: this.isGrey() ? names.filter(Boolean).join(', ') : '', state }
  }
}

/** Whether what was `upright` is now turned clockwise and then mirrored as the state says. */
function isTurned(now: DOMMatrix | null, upright: DOMMatrix, { rotation, mirrored }: State): boolean {
  if (!now) return true
  const wanted = new DOMMatrix([mirrored ? -1 : 1, 0, 0, 1, 0, 0]).multiply(new DOMMatrix().rotate(rotation)).multiply(upright)
  const size = Math.hypot(now.a, now.b) / (Math.hypot(wanted.a, wanted.b) || 1)
  return Math.abs(now.a - size * wanted.a) < 1e-3 * size + 1e-6 && Math.abs(now.b - size * wanted.b) < 1e-3 * size + 1e-6
}
