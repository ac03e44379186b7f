/** A series as a volume: three planes that can be tilted, slabs, and volume rendering. */
import { Enums, setVolumesForViewports, volumeLoader, type Types } from '@cornerstonejs/core'

import { byCpu } from './cpu'
import { failureOf } from './loader'
import { directions, type Edges } from './orientation'
import type { Stack } from './series'
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

export interface PlaneShown {
  edges: Edges | null
  center: number | null
  width: number | null
  mmPerPixel: number
}

export class VolumeView {
  private space: { id: string; element: HTMLDivElement } | null = null
  private listeners: (() => void)[] = []
  private closed = false
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
      const volume = (await volumeLoader.createAndCacheVolume(volumeId, { imageIds: stack.imageIds })) as unknown as {
        load(told: (event: { framesProcessed?: number; framesLoaded?: number; totalNumFrames?: number }) => void): void
      }
      if (made.closed) return made
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
      const { center, width } = windowsOf(frame)
      made.window(center, width)
    }
    rendering.renderViewports(Object.values(ids))
    return made
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
    return { edges: directions(view as never), center, width, mmPerPixel: Math.hypot(b[0] - a[0], b[1] - a[1], b[2] - a[2]) }
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
        view.setSlabThickness(thickness)
      } else {
        view.setBlendMode(Enums.BlendModes.COMPOSITE)
        view.resetSlabThickness()
      }
      view.render()
    }
  }

  reset(): void {
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
