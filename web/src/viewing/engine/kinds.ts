/** Tools of our own, and Cornerstone's where they do not do what their name says. */
import { cache, eventTarget, getEnabledElement, triggerEvent, type Types } from '@cornerstonejs/core'
import { BaseTool, CobbAngleTool, LengthTool, WindowLevelRegionTool, type Types as Tools } from '@cornerstonejs/tools'

import { frameOf } from './frames'
import type { Covers } from './loader'
import { windowFor } from './spread'
import { range } from './windows'

interface Stats {
  angle?: number | null
}

/** Two lines and the angle between them, said also where they are parallel: Cornerstone says nothing of no degrees. */
export class LinesTool extends CobbAngleTool {
  override _calculateCachedStats(annotation: never, rendering: never, enabled: never) {
    const stats = super._calculateCachedStats(annotation, rendering, enabled) as unknown
    for (const one of Object.values((annotation as { data: { cachedStats: Record<string, Stats> } }).data.cachedStats)) {
      if (one && one.angle === 0) one.angle = Number.EPSILON
    }
    return stats as never
  }
}

/** Two lines, the shorter as a part of the longer: heart and chest. */
export class RatioTool extends LinesTool {
  static override toolName = 'Ratio'
}

/** A line whose length is known. */
export class CalibrationTool extends LengthTool {
  static override toolName = 'Calibration'
}

/** The window of what is in a box. Cornerstone's own takes points of the screen for pixels of the image. */
export class RegionTool extends WindowLevelRegionTool {
  static override toolName = 'WindowOfRegion'

  constructor(props?: Tools.PublicToolProps) {
    super(props)
    this.applyWindowLevelRegion = (annotation, element) => {
      const viewport = getEnabledElement(element)?.viewport as Types.IStackViewport | undefined
      const id = viewport?.getCurrentImageId?.()
      const image = id ? (cache.getImage(id) as (Types.IImage & { covers?: Covers }) | undefined) : undefined
      const data = viewport?.getImageData()?.imageData as { worldToIndex(point: Types.Point3): number[] } | undefined
      if (!viewport || !image || image.color || !data || !frameOf(id!)) return
      const points = (annotation as { data: { handles: { points: Types.Point3[] } } }).data.handles.points.map((one) => data.worldToIndex(one))
      const within = (axis: 0 | 1, most: number) => {
        const at = points.map((one) => one[axis]!)
        return [Math.max(0, Math.round(Math.min(...at))), Math.min(most - 1, Math.round(Math.max(...at)))] as const
      }
      const [left, right] = within(0, image.columns)
      const [top, bottom] = within(1, image.rows)
      const values = image.getPixelData()
      const found: number[] = []
      for (let row = top; row <= bottom; row += 1) {
        for (let column = left; column <= right; column += 1) {
          const at = row * image.columns + column
          if (!image.covers?.padding?.[at]) found.push(values[at]!)
        }
      }
      const window = windowFor(found)
      if (!window) return
      viewport.setProperties({ voiRange: range(window.center, window.width) })
      viewport.render()
    }
  }
}

/** Told where in the patient somebody points; with `viewport`, the id of the viewport in which. */
export const POINTED = 'FILMLESS_POINTED'
export interface Pointed {
  viewport: string
  world: Types.Point3
}

/** Points at a place in the patient, which the other panes then show. */
export class CursorTool extends BaseTool {
  static override toolName = 'SpaceCursor'

  constructor(props: Tools.PublicToolProps = {}) {
    super(props, { supportedInteractionTypes: ['Mouse', 'Touch'], configuration: {} } as Tools.ToolProps)
  }

  private tell(event: Tools.EventTypes.InteractionEventType): boolean {
    const { viewportId, currentPoints } = event.detail as unknown as { viewportId: string; currentPoints: { world: Types.Point3 } }
    triggerEvent(eventTarget, POINTED, { viewport: viewportId, world: [...currentPoints.world] } as never)
    return true
  }

  preMouseDownCallback = (event: Tools.EventTypes.InteractionEventType) => this.tell(event)
  mouseDragCallback = (event: Tools.EventTypes.InteractionEventType) => void this.tell(event)
  touchDragCallback = (event: Tools.EventTypes.InteractionEventType) => void this.tell(event)
}
