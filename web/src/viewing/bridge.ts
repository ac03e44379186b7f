/** Between a report and the viewer, in this window or in another one of the same browser: what is on the screen, and
 * "go there". */
import { useEffect } from 'react'

import type { Stack } from './engine/series'
import type { Viewing } from './model'

/** An image, or a frame of one. */
export interface Target {
  study_uid: string
  series_uid: string
  sop_uid: string
  /** From 1. */
  frame: number
}

export interface OnScreen extends Target {
  window: { center: number; width: number } | null
}

interface Viewer {
  current: () => OnScreen | null
  go: (target: Target) => boolean
  locate: (sop: string) => Omit<Target, 'frame'> | null
}

type Message = { ask: string } | { answer: string; shown: OnScreen } | { go: Target } | { began: string } | { took: OnScreen }

const CHANNEL = 'filmless.images'
const PATIENCE = 400

class Bridge {
  private readonly viewers = new Set<Viewer>()
  private readonly takers = new Set<(shown: OnScreen) => void>()
  private readonly channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel(CHANNEL)
  private readonly asked = new Map<string, (shown: OnScreen | null) => void>()

  constructor() {
    this.channel?.addEventListener('message', (event: MessageEvent<Message>) => this.heard(event.data))
  }

  private heard(message: Message): void {
    if ('ask' in message) {
      const shown = this.local()
      if (shown) this.channel?.postMessage({ answer: message.ask, shown })
    } else if ('answer' in message) {
      this.asked.get(message.answer)?.(message.shown)
    } else if ('go' in message) {
      for (const viewer of this.viewers) if (viewer.go(message.go)) break
    } else if ('took' in message) {
      for (const taker of this.takers) taker(message.took)
    }
  }

  private local(): OnScreen | null {
    for (const viewer of this.viewers) {
      const shown = viewer.current()
      if (shown) return shown
    }
    return null
  }

  offer(viewer: Viewer): () => void {
    this.viewers.add(viewer)
    return () => this.viewers.delete(viewer)
  }

  /** Brings the viewer to an image; one in another window where there is none here. */
  go(target: Target): void {
    for (const viewer of this.viewers) if (viewer.go(target)) return
    this.channel?.postMessage({ go: target })
  }

  /** Where an image is, of those that the viewer of this window knows. */
  locate(sop: string): Omit<Target, 'frame'> | null {
    for (const viewer of this.viewers) {
      const found = viewer.locate(sop)
      if (found) return found
    }
    return null
  }

  /** What the viewer shows; null where no viewer answers. */
  async current(): Promise<OnScreen | null> {
    const shown = this.local()
    if (shown || !this.channel) return shown
    const id = crypto.randomUUID()
    return new Promise((resolve) => {
      const done = (found: OnScreen | null) => {
        this.asked.delete(id)
        resolve(found)
      }
      this.asked.set(id, done)
      this.channel!.postMessage({ ask: id })
      setTimeout(() => done(null), PATIENCE)
    })
  }

  /** Hands what is on the screen to the report that is open: true where one takes it here. */
  take(): boolean {
    const shown = this.local()
    if (!shown) return false
    if (this.takers.size === 0) this.channel?.postMessage({ took: shown })
    for (const taker of this.takers) taker(shown)
    return this.takers.size > 0
  }

  takes(taker: (shown: OnScreen) => void): () => void {
    this.takers.add(taker)
    return () => this.takers.delete(taker)
  }
}

export const bridge = new Bridge()

/** Lets reports ask an open viewer, and lead it. */
export function useBridge(viewing: Viewing, stacks: Stack[]): void {
  useEffect(() =>
    bridge.offer({
      current: () => {
        const pane = viewing.get().panes[viewing.get().active]
        const shown = viewing.view()?.shown()
        if (!pane?.stack || !shown) return null
        const window = shown.center === null || shown.width === null ? null : { center: shown.center, width: shown.width }
        return { study_uid: pane.stack.study, series_uid: pane.stack.series, sop_uid: shown.instance.sop, frame: shown.frame, window }
      },
      go: (target) => {
        const known = [...viewing.get().panes.flatMap((pane) => pane.stack ?? []), ...stacks]
        const stack = known.find((one) => one.series === target.series_uid && one.instances.some((each) => each.sop === target.sop_uid))
        if (!stack) return false
        let image = target.frame
        for (const one of stack.instances) {
          if (one.sop === target.sop_uid) break
          image += one.frames
        }
        void bring(viewing, stack, image)
        return true
      },
      locate: (sop) => {
        const known = [...stacks, ...viewing.get().panes.flatMap((pane) => pane.stack ?? [])]
        const stack = known.find((one) => one.instances.some((each) => each.sop === sop))
        return stack ? { study_uid: stack.study, series_uid: stack.series, sop_uid: sop } : null
      },
    }),
  )
}

/** An image of a stack onto the screen; the pane that has the stack, else the active one. */
export async function bring(viewing: Viewing, stack: Stack, image: number): Promise<void> {
  const at = viewing.get().panes.findIndex((pane) => pane.stack?.id === stack.id)
  if (at >= 0) viewing.activate(at)
  else viewing.show(stack)
  for (let tries = 0; tries < 100; tries += 1) {
    const view = viewing.view()
    if (view?.stack.id === stack.id && view.shown()) return view.jumpTo(image)
    await new Promise((done) => setTimeout(done, 100))
  }
}
