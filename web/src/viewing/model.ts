/** What the viewer shows: panes in a layout, which one is active, the tool in hand. One for each open page. */
import { useSyncExternalStore } from 'react'

import type { Stack } from './engine/series'
import type { ToolId } from './engine/tools'
import type { StackView } from './engine/viewport'

export interface Pane {
  id: string
  stack: Stack | null
}

export interface Model {
  rows: number
  columns: number
  panes: Pane[]
  active: number
  tool: ToolId | 'crosshairs'
  /** One pane over the whole, for a while. */
  maximised: boolean
  /** Shown as a volume, over all panes. */
  volume: Stack | null
  /** Other panes follow the active one through the patient. */
  linked: boolean
  /** The active pane's plane is a line in the others. */
  lines: boolean
  playing: boolean
}

export const MOST_ROWS = 4
export const MOST_COLUMNS = 5
let next = 0

function pane(stack: Stack | null = null): Pane {
  next += 1
  return { id: `pane-${next}`, stack }
}

export class Viewing {
  private state: Model = { rows: 1, columns: 1, panes: [pane()], active: 0, tool: 'window', maximised: false, volume: null, linked: false, lines: true, playing: false }
  private readonly listeners = new Set<() => void>()
  /** Open viewports by pane. */
  readonly views = new Map<string, StackView>()

  subscribe = (listener: () => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  get = () => this.state

  private set(change: Partial<Model>): void {
    this.state = { ...this.state, ...change }
    for (const listener of this.listeners) listener()
  }

  layout(rows: number, columns: number): void {
    const wanted = Math.min(rows, MOST_ROWS) * Math.min(columns, MOST_COLUMNS)
    const panes = this.state.panes.slice(0, wanted)
    while (panes.length < wanted) panes.push(pane())
    this.set({ rows, columns, panes, active: Math.min(this.state.active, wanted - 1), maximised: false })
  }

  activate(index: number): void {
    if (index === this.state.active || !this.state.panes[index]) return
    if (this.state.playing) this.play()
    this.set({ active: index, playing: false })
  }

  show(stack: Stack, index = this.state.active): void {
    if (this.state.playing) this.play()
    const panes = this.state.panes.map((one, at) => (at === index ? { ...one, stack } : one))
    this.set({ panes, active: index, volume: null, tool: this.state.tool === 'crosshairs' ? 'window' : this.state.tool })
  }

  private readonly others = new Map<string, Stack[]>()

  /** The stacks of another study that is open too. */
  know(study: string, stacks: Stack[]): void {
    this.others.set(study, stacks)
  }

  stackOf(id: string): Stack | undefined {
    return [...this.others.values()].flat().find((one) => one.id === id)
  }

  /** A prior's images to the right of what is read, where the layout is still as it was at the beginning. */
  beside(stack: Stack): void {
    const { panes, active } = this.state
    if (panes.some((one) => one.stack?.study === stack.study)) return
    if (panes.length === 1) this.layout(1, 2)
    const free = this.state.panes.findIndex((one, at) => at > 0 && one.stack === null)
    if (free < 0) return
    this.show(stack, free)
    this.activate(active)
  }

  /** The stacks, one after the other, into the panes that are free. */
  fill(stacks: Stack[]): void {
    const left = stacks.filter((one) => !this.state.panes.some((shown) => shown.stack?.id === one.id))
    this.set({ panes: this.state.panes.map((one) => (one.stack ? one : { ...one, stack: left.shift() ?? null })) })
  }

  /** A stack as a volume; null: back to the stacks. */
  cut(stack: Stack | null): void {
    this.set({ volume: stack, tool: stack ? 'crosshairs' : 'window' })
  }

  take(tool: ToolId | 'crosshairs'): void {
    this.set({ tool })
  }

  link(): void {
    this.set({ linked: !this.state.linked })
    this.moved(this.state.panes[this.state.active]!.id)
  }

  showLines(): void {
    this.set({ lines: !this.state.lines })
  }

  play(): void {
    const view = this.view()
    if (view) this.set({ playing: view.play() })
  }

  /** An image was drawn in a pane. */
  moved(id: string): void {
    const { linked, panes, active } = this.state
    if (!linked || panes[active]?.id !== id) return
    const place = this.views.get(id)?.place()
    if (place) for (const [other, view] of this.views) if (other !== id) view.follow(place)
  }

  maximise(): void {
    this.set({ maximised: !this.state.maximised })
  }

  view(): StackView | undefined {
    const active = this.state.panes[this.state.active]
    return active && this.views.get(active.id)
  }
}

export function useModel(viewing: Viewing): Model {
  return useSyncExternalStore(viewing.subscribe, viewing.get)
}
