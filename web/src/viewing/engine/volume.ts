/** A series as a volume: three planes that can be tilted, slabs, and volume rendering. */
import { Enums, eventTarget, setVolumesForViewports, volumeLoader, type Types } from '@cornerstonejs/core'
import { Enums as ToolEnums } from '@cornerstonejs/tools'

import { byCpu } from './cpu'
import { failureOf } from './loader'
import { directions, type Edges } from './orientation'
import { dot, isWhole, learn, less, normalOf, scaleOf, thicknessOf, volumeOf, type Plane as Place, type Vector, type Volume } from './planes'
import { text, type Stack } from './series'
import type { Unmeasured } from './spacing'
import { start } from './start'
import { SPACE, toolGroup, VOLUMES } from './tools'
import { ENGINE, engine } from './viewport'
import { range, windowOf } from './windows'
import { frameOf } from './frames'
import { windowsOf } from './voi'

export const PLANES = ['axial', 'sagittal', 'coronal'] as const
export type Plane = (typeof PLANES)[number]
export type Blend = 'mean' | 'max' | 'min'

const ORIENTATION = {
  axial: Enums.OrientationAxis.AXIAL,
  sagittal: Enums.OrientationAxis.SAGITTAL,
  coronal: Enums.OrientationAxis.CORONAL,
} as const
const BLEND = {
  mean: Enums.BlendModes.AVERAGE_INTENSITY_BLEND,
  max: Enums.BlendModes.MAXIMUM_INTENSITY_BLEND,
  min: Enums.BlendModes.MINIMUM_INTENSITY_BLEND,
} as const

/** Looks of volume rendering that are offered, by modality. */
export const PRESETS = { CT: ['CT-Bone', 'CT-Soft-Tissue', 'CT-Chest-Vessels', 'CT-Lung', 'CT-MIP'], other: ['MR-Default', 'MR-T2-Brain', 'MR-Angio', 'MR-MIP'] }

export const presetsOf = (stack: Stack): string[] => (stack.modality === 'CT' ? PRESETS.CT : PRESETS.other)

/** The browser has no WebGL. */
export class NoGraphics extends Error {
  constructor() {
    super('volumes are drawn by WebGL, which this browser does not have')
  }
}

const BLEND_OF = new Map<unknown, Blend>(Object.entries(BLEND).map(([blend, mode]) => [mode, blend as Blend]))

export interface PlaneShown {
  edges: Edges | null
  center: number | null
  width: number | null
  /** Null where that is not known. */
  mmPerPixel: number | null
  /** Towards the one who looks. */
  normal: Vector
  /** In mm; 0: thin. */
  slab: number
  blend: Blend | ''
}

/** What a mark that was begun on a plane is told of it. */
interface Begun {
  metadata?: { filmless?: { plane?: Place; image?: string } }
}

export class VolumeView {
  private space: { id: string; element: HTMLDivElement } | null = null
  private listeners: (() => void)[] = []
  private closed = false
  private volume: Volume | null = null
  /** The window with which it began. */
  private first: { center: number; width: number } | null = null
  private constructor(
    readonly stack: Stack,
    private readonly volumeId: string,
    private readonly ids: Record<Plane, string>,
  ) {}

  /** Shows the planes in their elements; `progress` tells how much of the volume is there, 0 to 1. */
  static async open(stack: Stack, elements: Record<Plane, HTMLDivElement>, changed: () => void, progress: (part: number) => void): Promise<VolumeView> {
    await start()
    // the engine has no planes and no space by CPU
    if (byCpu()) throw new NoGraphics()
    const volumeId = `cornerstoneStreamingImageVolume:${stack.id}`
    const ids = { axial: 'plane-axial', sagittal: 'plane-sagittal', coronal: 'plane-coronal' }
    const made = new VolumeView(stack, volumeId, ids)
    const rendering = engine()
    const group = toolGroup(VOLUMES)
    for (const plane of PLANES) {
      rendering.enableElement({
        viewportId: ids[plane],
        type: Enums.ViewportType.ORTHOGRAPHIC,
        element: elements[plane],
        defaultOptions: { orientation: ORIENTATION[plane], background: [0, 0, 0] },
      })
      group.addViewport(ids[plane], ENGINE)
      for (const event of [Enums.Events.IMAGE_RENDERED, Enums.Events.CAMERA_MODIFIED, Enums.Events.VOI_MODIFIED]) {
        elements[plane].addEventListener(event, changed)
        made.listeners.push(() => elements[plane].removeEventListener(event, changed))
      }
    }
    try {
      const volume = (await volumeLoader.createAndCacheVolume(volumeId, { imageIds: stack.imageIds })) as unknown as Omit<Types.IImageVolume, 'load'> & {
        load(told: (event: { framesProcessed?: number; framesLoaded?: number; totalNumFrames?: number }) => void): void
      }
      if (made.closed) return made
      made.volume = learn(stack, volume as Types.IImageVolume)
      made.follow()
      volume.load((event) => {
        const done = event.framesProcessed ?? event.framesLoaded ?? 0
        progress(Math.min(1, done / stack.imageIds.length))
      })
      await setVolumesForViewports(rendering, [{ volumeId }], Object.values(ids))
    } catch (error) {
      made.close()
      throw error
    }
    const frame = frameOf(stack.imageIds[Math.floor(stack.imageIds.length / 2)]!)
    if (frame) {
      made.first = windowsOf(frame)
      made.window(made.first.center, made.first.width)
    }
    rendering.renderViewports(Object.values(ids))
    return made
  }

  /** Tells marks that are begun, or changed, on a plane which plane it is. */
  private follow(): void {
    const told = (event: Event) => {
      const { annotation, viewportId, changeType } = (event as CustomEvent<{ annotation: Begun; viewportId?: string; changeType?: string }>).detail
      const view = this.planes().find((one) => one.id === viewportId)
      const metadata = annotation.metadata
      if (!view || !metadata || !this.volume) return
      const now = this.place(view)
      if (event.type === ToolEnums.Events.ANNOTATION_ADDED) {
        // what was kept says so itself
        if (!metadata.filmless) metadata.filmless = { plane: now, image: this.volume.imageIds[0] }
      } else if (changeType === ToolEnums.ChangeTypes.HandlesUpdated && metadata.filmless?.plane && volumeOf(metadata.filmless.image ?? '') === this.volume) {
        // it is of what is seen while it is moved
        metadata.filmless.plane = { ...metadata.filmless.plane, slab: now.slab, blend: now.blend }
      }
    }
    for (const name of [ToolEnums.Events.ANNOTATION_ADDED, ToolEnums.Events.ANNOTATION_MODIFIED]) {
      eventTarget.addEventListener(name, told)
      this.listeners.push(() => eventTarget.removeEventListener(name, told))
    }
  }

  /** The plane that a viewport shows, with the middle of the view as its origin. */
  private place(view: Types.IVolumeViewport): Place {
    const { focalPoint, viewUp } = view.getCamera() as { focalPoint: Vector; viewUp: Vector }
    const [corner, right] = [view.canvasToWorld([0, 0]), view.canvasToWorld([100, 0])] as [Vector, Vector]
    const unit = (way: Vector) => way.map((value) => value / Math.hypot(...way)) as Vector
    const row = unit(less(right, corner))
    const column = unit([-viewUp[0], -viewUp[1], -viewUp[2]])
    const round = (value: number) => Math.round(value * 1e7) / 1e7
    const slab = thicknessOf(view)
    return {
      reference: text(this.stack.instances[0]!.json, '00200052'),
      origin: focalPoint.map((value) => Math.round(value * 1e4) / 1e4) as Vector,
      row: row.map(round) as Vector,
      column: column.map(round) as Vector,
      slab,
      blend: slab ? this.blendOf(view) : '',
    }
  }

  private blendOf(view: Types.IVolumeViewport): Blend {
    return BLEND_OF.get((view as unknown as { getBlendMode(): unknown }).getBlendMode()) ?? 'mean'
  }

  /** Why nothing is measured on the planes now; null where one can. */
  unmeasured(): Unmeasured | null {
    if (!this.volume) return 'awaited'
    const scale = scaleOf(this.volume)
    if (typeof scale === 'string') return scale
    if (this.incomplete()) return 'incomplete'
    return isWhole(this.volume) ? null : 'awaited'
  }

  /** Shows a plane, in the viewport that looks most like it, with this place in the middle. */
  go(plane: Place, middle: Vector): void {
    const normal = normalOf(plane)
    const likeness = (view: Types.IVolumeViewport) => Math.abs(dot(normal, view.getCamera().viewPlaneNormal as Vector))
    const [view] = this.planes().sort((a, b) => likeness(b) - likeness(a))
    if (!view) return
    const aim = () => {
      const { focalPoint, position, viewPlaneNormal } = view.getCamera() as { focalPoint: Vector; position: Vector; viewPlaneNormal: Vector }
      if (dot(viewPlaneNormal, normal) > 1 - 1e-9 && Math.hypot(...less(focalPoint, middle)) < 1e-3) return
      const far = Math.hypot(...less(position, focalPoint))
      view.setCamera({
        viewPlaneNormal: normal,
        viewUp: [-plane.column[0], -plane.column[1], -plane.column[2]],
        focalPoint: [...middle],
        position: middle.map((value, axis) => value + normal[axis]! * far) as Vector,
      })
      view.render()
    }
    aim()
    // while the volume comes the engine puts its planes right once more, in its own way; whoever moves them meanwhile may
    let tries = 0
    const { element } = view
    const timer = setInterval(() => {
      tries += 1
      if (this.closed || tries > 100 || (tries > 10 && this.unmeasured() !== 'awaited')) return stop()
      aim()
    }, 100)
    const stop = () => {
      clearInterval(timer)
      for (const kind of ['pointerdown', 'mousedown', 'wheel', 'touchstart']) element.removeEventListener(kind, stop, true)
    }
    for (const kind of ['pointerdown', 'mousedown', 'wheel', 'touchstart']) element.addEventListener(kind, stop, true)
    this.listeners.push(stop)
  }

  /** Whether slices are missing: then planes would show what is not there. */
  incomplete(): boolean {
    return this.stack.imageIds.some((id) => failureOf(id) !== undefined)
  }

  private planes(): Types.IVolumeViewport[] {
    return Object.values(this.ids).flatMap((id) => (engine().getViewport(id) as Types.IVolumeViewport | undefined) ?? [])
  }

  shown(plane: Plane): PlaneShown | null {
    const view = engine().getViewport(this.ids[plane]) as Types.IVolumeViewport | undefined
    if (!view?.getImageData?.()) return null
    const window = view.getProperties()?.voiRange
    const [center, width] = window ? windowOf(window) : [null, null]
    const a = view.canvasToWorld([0, 0])
    const b = view.canvasToWorld([1, 0])
    const known = this.volume && typeof scaleOf(this.volume) !== 'string'
    const slab = thicknessOf(view)
    return {
      edges: directions(view as never),
      center,
      width,
      mmPerPixel: known ? Math.hypot(b[0] - a[0], b[1] - a[1], b[2] - a[2]) : null,
      normal: view.getCamera().viewPlaneNormal as Vector,
      slab,
      blend: slab ? this.blendOf(view) : '',
    }
  }

  window(center: number, width: number): void {
    for (const view of this.planes()) {
      view.setProperties({ voiRange: range(center, width) })
      view.render()
    }
  }

  /** How thick the planes are, in mm (0: one voxel), and how what lies in them is put together. */
  slab(thickness: number, blend: Blend): void {
    for (const view of this.planes()) {
      if (thickness > 0) {
        view.setBlendMode(BLEND[blend])
        // the engine takes it to either side of the middle
        view.setSlabThickness(thickness / 2)
      } else {
        view.setBlendMode(Enums.BlendModes.COMPOSITE)
        view.resetSlabThickness()
      }
      view.render()
    }
  }

  /** Draws the planes once more: with what came last. */
  refresh(): void {
    if (!this.closed) for (const view of this.planes()) view.render()
  }

  reset(): void {
    if (this.first) this.window(this.first.center, this.first.width)
    for (const view of this.planes()) {
      view.resetCamera({ resetPan: true, resetZoom: true, resetToCenter: true, resetOrientation: true } as never)
      view.render()
    }
  }

  /** Volume rendering in an element, or away with it. */
  async render(element: HTMLDivElement | null, preset: string): Promise<void> {
    const rendering = engine()
    if (!element) {
      if (this.space) {
        toolGroup(SPACE).removeViewports(ENGINE, this.space.id)
        rendering.disableElement(this.space.id)
      }
      this.space = null
      return
    }
    if (!this.space) {
      this.space = { id: 'space', element }
      rendering.enableElement({
        viewportId: 'space',
        type: Enums.ViewportType.VOLUME_3D,
        element,
        defaultOptions: { orientation: Enums.OrientationAxis.CORONAL, background: [0, 0, 0] },
      })
      toolGroup(SPACE).addViewport('space', ENGINE)
      await setVolumesForViewports(rendering, [{ volumeId: this.volumeId }], ['space'])
    }
    const view = rendering.getViewport('space') as Types.IVolumeViewport
    view.setProperties({ preset })
    view.render()
  }

  resize(): void {
    engine().resize(true, true)
  }

  close(): void {
    this.closed = true
    for (const stop of this.listeners) stop()
    const rendering = engine()
    void this.render(null, '')
    for (const id of Object.values(this.ids)) {
      toolGroup(VOLUMES).removeViewports(ENGINE, id)
      if (rendering.getViewport(id)) rendering.disableElement(id)
    }
  }
}
