/** How much of an image a viewport shows: taken over from another one, and in true size. */
import type { Types } from '@cornerstonejs/core'

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
