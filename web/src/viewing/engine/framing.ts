/** How much of an image a viewport shows, and where: taken over from another one, and in true size. */
import type { Types } from '@cornerstonejs/core'

/** Image pixels to those of the canvas: x and y of a point, from the upper left corner of the image. */
export function matrixOf(view: Types.IStackViewport): DOMMatrix | null {
  const data = view.getImageData()?.imageData as { indexToWorld(point: Types.Point3): Types.Point3 } | undefined
  if (!data) return null
  const ratio = view.canvas.width / (view.canvas.clientWidth || 1)
  const at = (x: number, y: number) => view.worldToCanvas([...data.indexToWorld([x - 0.5, y - 0.5, 0])] as Types.Point3).map((value) => value * ratio) as Types.Point2
  const [origin, right, down] = [at(0, 0), at(1, 0), at(0, 1)]
  return new DOMMatrix([right[0] - origin[0], right[1] - origin[1], down[0] - origin[0], down[1] - origin[1], ...origin])
}

/** Shows this many times as much of the image. */
export function widen(view: Types.IStackViewport, times: number): void {
  const now = view.getCamera().parallelScale ?? 1
  if (Number.isFinite(times) && times > 0 && Math.abs(times - 1) > 1e-4) view.setCamera({ parallelScale: now * times })
}

/** Zooms and moves as another viewport does. `times`: how many more millimetres a pixel of the other is; null: unknown. */
export function adoptFraming(view: Types.IStackViewport, from: Types.IStackViewport, times: number | null): void {
  if (times !== null) widen(view, times)
  else widen(view, view.getZoom() / from.getZoom())
  const [x, y] = from.getPan()
  const [u, v] = view.getPan()
  if (Math.hypot(x - u, y - v) > 0.5) view.setPan([x, y])
  view.render()
}
