/** What panes do together: scroll through the patient, window, zoom and move, point at one place. */
import type { StackView } from './engine/viewport'

export interface Together {
  linked: boolean
  windows: boolean
  zooms: boolean
}

/** Lets the others follow what was done in one. */
export function follow(from: StackView, others: Iterable<StackView>, how: Together): void {
  const place = how.linked ? from.place() : null
  const shown = how.windows ? from.shown() : null
  for (const view of others) {
    if (view === from) continue
    if (place) view.follow(place)
    if (shown && shown.center !== null && shown.width !== null && view.stack.modality === from.stack.modality) {
      const now = view.shown()
      if (now && (Math.abs((now.center ?? 0) - shown.center) > 1e-6 || Math.abs((now.width ?? 0) - shown.width) > 1e-6)) view.window(shown.center, shown.width)
    }
    if (how.zooms) view.adopt(from)
  }
}
