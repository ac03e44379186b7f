/** What the engine's viewport of a stack gets wrong while one scrolls, put right. */
import type { Types } from '@cornerstonejs/core'

/** Of the engine's viewport what is not for others. */
interface Inner extends Pick<Types.IStackViewport, 'scroll' | 'setImageIdIndex' | 'getPan' | 'setPan' | 'canvasToWorld' | 'getCamera' | 'setCamera'> {
  debouncedTimeout?: number
  targetImageIdIndex: number
}

/** Before the first image of a viewport. */
export function steady(view: Types.IStackViewport): void {
  const inner = view as unknown as Inner
  // an image that was asked for before another one, and waits for its turn, would take its place afterwards
  const { scroll, setImageIdIndex } = inner
  inner.scroll = (...how) => {
    clearTimeout(inner.debouncedTimeout)
    scroll.apply(inner, how)
  }
  inner.setImageIdIndex = (index) => {
    clearTimeout(inner.debouncedTimeout)
    inner.targetImageIdIndex = index
    return setImageIdIndex.call(inner, index)
  }
  // by parts of a pixel too: else it jumps by those with each image, and is off the grid of the screen
  inner.setPan = ([x, y]) => {
    const [u, v] = inner.getPan()
    if (Math.hypot(x - u, y - v) < 1e-4) return
    const from = inner.canvasToWorld([0, 0])
    const to = inner.canvasToWorld([x - u, y - v])
    const moved = (point: Types.Point3) => point.map((value, axis) => value - (to[axis]! - from[axis]!)) as Types.Point3
    const camera = inner.getCamera()
    inner.setCamera({ ...camera, focalPoint: moved(camera.focalPoint!), position: moved(camera.position!) })
  }
}
