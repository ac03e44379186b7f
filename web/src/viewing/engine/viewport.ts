/** Our viewport: what the screens ask of it, in our words; Cornerstone stays behind it. */
import { cache, Enums, getRenderingEngine, metaData, RenderingEngine, utilities, type Types } from '@cornerstonejs/core'
import { utilities as toolUtilities } from '@cornerstonejs/tools'

import { correct } from './cpu'
import { frameOf } from './frames'
import { adoptFraming, widen } from './framing'
import { failureOf, forget, isPicture, type Covers } from './loader'
import { edges, type Edges } from './orientation'
import { Presenter, type Over } from './presenting'
import { numbers, type Instance, type Stack } from './series'
import { scaleAt, type Spacing } from './spacing'
import { windowFor } from './spread'
import { start } from './start'
import { steady } from './steady'
import { STACKS, toolGroup } from './tools'
import { range, windowOf } from './windows'

export const ENGINE = 'filmless'
/** The longest that one image may take before it is said that it cannot be shown; milliseconds. */
const PATIENCE = 60_000

export function engine(): RenderingEngine {
  return (getRenderingEngine(ENGINE) as RenderingEngine | undefined) ?? new RenderingEngine(ENGINE)
}

const dot = (a: Types.Point3, b: Types.Point3) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]

interface PlaneModule {
  frameOfReferenceUID: string
  rowCosines?: number[]
  columnCosines?: number[]
  imagePositionPatient?: number[]
}

function planeOf(imageId: string) {
  const { rowCosines: r, columnCosines: c, imagePositionPatient: position, frameOfReferenceUID } = (metaData.get('imagePlaneModule', imageId) ?? {}) as PlaneModule
  if (!r || !c || !position) return null
  const normal = [r[1]! * c[2]! - r[2]! * c[1]!, r[2]! * c[0]! - r[0]! * c[2]!, r[0]! * c[1]! - r[1]! * c[0]!] as Types.Point3
  return { position: position as Types.Point3, normal, reference: frameOfReferenceUID }
}

/** What a viewport shows at this moment, for its corners. */
export interface Shown {
  /** From 1. */
  image: number
  images: number
  instance: Instance
  frame: number
  center: number | null
  width: number | null
  /** Screen pixels for one of the image. */
  zoom: number
  edges: Edges | null
  spacing: Spacing
  /** Millimetres across one screen pixel; null where unknown. */
  mmPerPixel: number | null
  invert: boolean
  /** Where its pixels are on the server. */
  address: string
  /** Of the image's first pixel, from the upper left of the viewport; CSS pixels. */
  corner: [number, number]
  /** CSS pixels from one column, and from one row, to the next. */
  step: [number, number]
  /** It is the server's picture, because its values are not to be had. */
  picture: boolean
  /** Another image is asked for, and is on its way. */
  late: boolean
  /** It could not be had: what is drawn is nothing. */
  failed: boolean
  /** What its greys are made by, beside a straight window: a look-up table's name, a sigmoid; "" else. */
  tones: string
  /** Of the presentation state that was chosen, whether it is for this image. */
  state: 'shown' | 'not-for-this' | null
}

/** Draws all viewports in the size of their elements; what nobody has zoomed or turned fits them again. */
function resizeAll(): void {
  const stacks = engine()
    .getViewports()
    .filter((view) => view.type === Enums.ViewportType.STACK) as Types.IStackViewport[]
  const untouched = stacks.filter((view) => {
    const { zoom = 1, pan = [0, 0], rotation = 0, flipHorizontal, flipVertical } = view.getViewPresentation()
    return Math.abs(zoom - 1) < 0.01 && Math.hypot(...pan) < 1 && !rotation && !flipHorizontal && !flipVertical
  })
  engine().resize(true, true)
  for (const view of untouched) {
    view.resetCamera()
    view.render()
  }
}

export class StackView {
  private viewport: Types.IStackViewport | null = null
  private listeners: (() => void)[] = []
  private presenter: Presenter | null = null
  private closed = false
  private changed: () => void = () => undefined
  private running = false

  private constructor(
    readonly id: string,
    readonly element: HTMLDivElement,
    readonly stack: Stack,
  ) {}

  /** Shows a stack in an element. Rejects where the first image cannot be shown. */
  static async open(id: string, element: HTMLDivElement, stack: Stack, first: number, changed: () => void): Promise<StackView> {
    const made = new StackView(id, element, stack)
    await start()
    const rendering = engine()
    rendering.enableElement({
      viewportId: id,
      type: Enums.ViewportType.STACK,
      element,
      defaultOptions: { background: [0, 0, 0] },
    })
    toolGroup(STACKS).addViewport(id, ENGINE)
    const viewport = rendering.getViewport(id) as Types.IStackViewport
    steady(viewport)
    correct(viewport)
    made.viewport = viewport
    made.presenter = new Presenter(viewport, () => made.reset(), changed)
    const { IMAGE_RENDERED, VOI_MODIFIED, CAMERA_MODIFIED, STACK_VIEWPORT_SCROLL, PRE_STACK_NEW_IMAGE } = Enums.Events
    for (const event of [IMAGE_RENDERED, VOI_MODIFIED, CAMERA_MODIFIED, STACK_VIEWPORT_SCROLL, PRE_STACK_NEW_IMAGE]) {
      element.addEventListener(event, changed)
      made.listeners.push(() => element.removeEventListener(event, changed))
    }
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('the image does not come')), PATIENCE)
    })
    try {
      await Promise.race([viewport.setStack(stack.imageIds, Math.min(first, stack.imageIds.length - 1)), late])
    } finally {
      clearTimeout(timer)
    }
    if (made.closed) return made
    // whatever size the element had when it was made known: the image fits the one that it has now
    engine().resize(true, true)
    viewport.resetCamera()
    viewport.render()
    toolUtilities.stackContextPrefetch.enable(element)
    return made
  }

  close(): void {
    const { viewport } = this
    this.closed = true
    this.viewport = null
    for (const stop of this.listeners) stop()
    this.presenter?.close()
    // another stack may have taken the place already
    if (!viewport || engine().getViewport(this.id) !== viewport) return
    if (this.running) toolUtilities.cine.stopClip(this.element)
    toolUtilities.stackContextPrefetch.disable(this.element)
    toolGroup(STACKS).removeViewports(ENGINE, this.id)
    engine().disableElement(this.id)
  }

  /** What lies over the images from now on; a state of another image of the stack shows that one. */
  cover(over: Over): void {
    const wanted = this.presenter?.cover(over)
    if (wanted !== undefined && wanted >= 0) this.jumpTo(wanted + 1)
  }

  resize(): void {
    if (this.viewport) resizeAll()
  }

  /** Of which image the pixels are that are drawn. */
  drawn(): string {
    return this.viewport?.getCornerstoneImage()?.imageId ?? ''
  }

  /** The image that is asked for and not drawn yet, from 1; null where what is drawn is what is asked for. */
  awaited(): number | null {
    const view = this.viewport
    const drawn = this.drawn()
    if (!view || !drawn) return null
    const target = view.getTargetImageIdIndex()
    return view.getImageIds()[target] === drawn ? null : target + 1
  }

  /** Where a coarser picture of the whole image lies in the viewport, as CSS writes it; "none" where that is unknown. */
  matrix(columns: number, rows: number): string {
    const data = this.viewport?.getImageData()
    const found = data?.imageData as { indexToWorld(point: Types.Point3): Types.Point3 } | undefined
    if (!data || !found) return 'none'
    const [wide, high] = data.dimensions
    const at = (x: number, y: number) => this.viewport!.worldToCanvas([...found.indexToWorld([x, y, 0])] as Types.Point3)
    const [origin, right, down] = [at(-0.5, -0.5), at(wide - 0.5, -0.5), at(-0.5, high - 0.5)]
    const step = (to: Types.Point2, count: number) => [(to[0] - origin[0]) / count, (to[1] - origin[1]) / count]
    return `matrix(${[...step(right, columns), ...step(down, rows), ...origin].join(', ')})`
  }

  /** What is on the screen, or what one waits for (`awaited`); null before the first image. */
  shown(awaited: number | null = null): Shown | null {
    const view = this.viewport
    if (!view || !view.getImageIds().length || !view.getImageData()) return null
    // what is drawn, which while one scrolls is not yet what is asked for
    const drawn = this.drawn() || view.getCurrentImageId()
    const id = awaited === null ? drawn : view.getImageIds()[awaited - 1]!
    const at = Math.max(view.getImageIds().indexOf(id), 0)
    const [instance, frame] = this.instanceAt(at)
    if (!instance) return null
    const properties = view.getProperties()
    const window = properties.voiRange ? windowOf(properties.voiRange) : null
    const spacing = scaleAt(instance.json, frame)
    const image = view.getImageData()
    const world = image?.spacing?.[0] ?? 1
    const middle = view.worldToCanvas(view.getCamera().focalPoint!)
    const a = view.canvasToWorld(middle)
    const b = view.canvasToWorld([middle[0] + 1, middle[1]])
    const perScreen = Math.hypot(b[0] - a[0], b[1] - a[1], b[2] - a[2])
    return {
      image: at + 1,
      images: view.getImageIds().length,
      instance,
      frame,
      center: window?.[0] ?? null,
      width: window?.[1] ?? null,
      zoom: perScreen > 0 ? world / perScreen : 1,
      edges: edges(view as never, instance.json),
      spacing,
      mmPerPixel: spacing.source === 'none' || !(world > 0) ? null : (perScreen / world) * spacing.column,
      invert: Boolean(properties.invert),
      address: frameOf(id)?.address ?? '',
      corner: this.corner(),
      step: this.step(),
      picture: isPicture(id),
      late: view.getImageIds()[view.getTargetImageIdIndex()] !== drawn,
      failed: failureOf(id) !== undefined,
      ...this.presenter!.said(),
    }
  }

  private instanceAt(index: number): [Instance | undefined, number] {
    let left = index
    for (const one of this.stack.instances) {
      if (left < one.frames) return [one, left + 1]
      left -= one.frames
    }
    return [undefined, 1]
  }

  /** Asks once more for the image that could not be had. */
  async again(): Promise<void> {
    const view = this.viewport
    if (!view) return
    const at = view.getCurrentImageIdIndex()
    for (const id of view.getImageIds()) if (failureOf(id) !== undefined) forget(id)
    await view.setStack(this.stack.imageIds, at)
    view.render()
  }

  scrollBy(steps: number): void {
    if (this.viewport) utilities.scroll(this.viewport, { delta: steps })
  }

  jumpTo(image: number): void {
    void this.viewport?.setImageIdIndex(Math.min(Math.max(image - 1, 0), this.stack.imageIds.length - 1))
    this.changed()
  }

  /** Frames per second that the object asks for (PS3.3 C.7.6.5, C.7.6.16); 10 where it says nothing. */
  get rate(): number {
    const { json } = this.stack.instances[0]!
    const said = numbers(json, '00082144')[0] ?? numbers(json, '00180040')[0]
    const time = numbers(json, '00181063')[0]
    const rate = said && said > 0 ? said : time && time > 0 ? 1000 / time : 10
    return Math.min(Math.max(rate, 1), 60)
  }

  /** Whether it runs from now on. */
  play(): boolean {
    const running = !this.running
    this.running = running
    if (running) toolUtilities.cine.playClip(this.element, { framesPerSecond: this.rate, loop: true })
    else toolUtilities.cine.stopClip(this.element)
    return running
  }

  /** The plane that is shown: its middle and its normal; null where it has no place in the patient. */
  place(): { point: Types.Point3; normal: Types.Point3; reference: string } | null {
    const view = this.viewport
    const id = view?.getCurrentImageId()
    const plane = id ? planeOf(id) : null
    return plane && { point: plane.position, normal: plane.normal, reference: plane.reference }
  }

  /** Shows the image nearest to a place, if its planes are parallel to it and of the same frame of reference. */
  follow({ point, normal, reference }: { point: Types.Point3; normal: Types.Point3; reference: string }): void {
    const view = this.viewport
    const here = this.place()
    if (!view || !here || here.reference !== reference || Math.abs(dot(here.normal, normal)) < 0.9) return
    let best = -1
    let least = Infinity
    this.stack.imageIds.forEach((id, at) => {
      const plane = planeOf(id)
      if (!plane) return
      const away = Math.abs(dot(plane.normal, [plane.position[0] - point[0], plane.position[1] - point[1], plane.position[2] - point[2]]))
      if (away < least) [best, least] = [at, away]
    })
    if (best < 0 || best === view.getCurrentImageIdIndex()) return
    void view.setImageIdIndex(best)
    this.changed()
  }

  window(center: number, width: number): void {
    this.viewport?.setProperties({ voiRange: range(center, width) })
    this.viewport?.render()
  }

  /** The window that shows nearly all of this image. */
  auto(): void {
    const id = this.viewport?.getCurrentImageId()
    const image = id ? (cache.getImage(id) as (Types.IImage & { covers?: Covers }) | undefined) : undefined
    const found = image && !image.color ? windowFor(image.getPixelData(), image.covers?.padding) : null
    if (found) this.window(found.center, found.width)
  }

  /** Zooms and moves as another one does. */
  adopt(from: StackView): void {
    if (!this.viewport || !from.viewport) return
    const [own, other] = [this.shown()?.mmPerPixel, from.shown()?.mmPerPixel]
    adoptFraming(this.viewport, from.viewport, own && other ? other / own : null)
  }

  /** As large as in the patient, on a screen of whose CSS pixels one is `mm` large; false where the image tells no size. */
  trueSize(mm: number): boolean {
    const now = this.shown()?.mmPerPixel
    if (!this.viewport || !now) return false
    widen(this.viewport, mm / now)
    this.viewport.render()
    return true
  }

  /** Shows the image nearest to a place in the patient, however it lies; false where that has no place here. */
  reach(point: Types.Point3, reference: string): boolean {
    const here = this.place()
    if (!this.viewport || !here || here.reference !== reference) return false
    this.follow({ point, normal: here.normal, reference })
    return true
  }

  /** Where a place in the patient is, in CSS pixels from the upper left corner, and how far from the plane, in mm. */
  spot(point: Types.Point3, reference: string): { at: Types.Point2; away: number } | null {
    const here = this.place()
    if (!this.viewport || !here || here.reference !== reference) return null
    const away = Math.abs(dot(here.normal, [here.point[0] - point[0], here.point[1] - point[1], here.point[2] - point[2]]))
    return { at: this.viewport.worldToCanvas(point), away }
  }

  invert(): void {
    const invert = !this.viewport?.getProperties().invert
    this.viewport?.setProperties({ invert })
    this.presenter?.tone()
    this.viewport?.render()
  }

  rotate(degrees: number): void {
    const view = this.viewport
    if (!view) return
    view.setViewPresentation({ rotation: (((view.getViewPresentation().rotation ?? 0) + degrees) % 360) + 0 })
    view.render()
  }

  flip(way: 'horizontal' | 'vertical'): void {
    const view = this.viewport
    if (!view) return
    const camera = view.getCamera()
    view.setCamera(way === 'horizontal' ? { flipHorizontal: !camera.flipHorizontal } : { flipVertical: !camera.flipVertical })
    view.render()
  }

  /** Where the outer corner of the image's first pixel is, from the upper left of the viewport; CSS pixels. */
  private corner(): Types.Point2 {
    const view = this.viewport!
    const data = view.getImageData()?.imageData as { indexToWorld(point: Types.Point3): Types.Point3 } | undefined
    return data ? view.worldToCanvas([...data.indexToWorld([-0.5, -0.5, 0])] as Types.Point3) : [0, 0]
  }

  private step(): Types.Point2 {
    const data = this.viewport!.getImageData()?.imageData as { indexToWorld(point: Types.Point3): Types.Point3 } | undefined
    if (!data) return [1, 1]
    const [origin, right, down] = [[0, 0], [1, 0], [0, 1]].map(([x, y]) => this.viewport!.worldToCanvas([...data.indexToWorld([x!, y!, 0])] as Types.Point3))
    return [Math.hypot(right![0] - origin![0], right![1] - origin![1]), Math.hypot(down![0] - origin![0], down![1] - origin![1])]
  }

  /** One pixel of the screen for one of the image, not interpolated, on the screen's own grid. */
  oneToOne(): void {
    const view = this.viewport
    const image = view?.getImageData()
    if (!view || !image) return
    const ratio = devicePixelRatio || 1
    view.setProperties({ interpolationType: Enums.InterpolationType.NEAREST })
    view.setCamera({ parallelScale: (view.element.clientHeight * ratio * (image.spacing[1] ?? 1)) / 2 })
    // the corner of the first pixel on a corner of the grid
    const [x, y] = this.corner()
    const off = (value: number) => (Math.round(value * ratio) - value * ratio) / ratio
    const from = view.canvasToWorld([0, 0])
    const to = view.canvasToWorld([off(x), off(y)])
    const moved = (point: Types.Point3) => point.map((value, axis) => value - (to[axis]! - from[axis]!)) as Types.Point3
    const { focalPoint, position } = view.getCamera()
    view.setCamera({ focalPoint: moved(focalPoint!), position: moved(position!) })
    view.render()
  }

  reset(): void {
    const view = this.viewport
    if (!view) return
    view.resetProperties()
    view.setProperties({ interpolationType: Enums.InterpolationType.LINEAR })
    view.setCamera({ flipHorizontal: false, flipVertical: false })
    view.setViewPresentation({ rotation: 0 })
    view.resetCamera()
    this.presenter?.again()
    view.render()
  }
}
