/** What the viewer shows: panes in a layout, which one is active, the tool in hand. One for each open page. */
import { useSyncExternalStore } from 'react'

import { NOTHING_OVER, type Over } from './engine/presenting'
import type { Stack } from './engine/series'
import { MEASURE, onPlanes, type ToolId } from './engine/tools'
import type { StackView } from './engine/viewport'
import type { VolumeView } from './engine/volume'
import type { Known } from './hanging/choose'
import { follow } from './together'

export interface Pane {
  id: string
  stack: Stack | null
  /** What lies over its images. */
  over: Over
  /** How its images are shown at first, where a layout says so. */
  start?: Start
}

export interface Start {
  window: { center: number; width: number } | null
  invert: boolean
  /** From 1: the image to begin with. */
  image?: number
}

/** A place in the patient that somebody points at. */
export interface Spot {
  point: [number, number, number]
  reference: string
  /** The pane in which. */
  pane: string
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
  /** Other panes take over the active one's window, or its zoom and place. */
  windows: boolean
  zooms: boolean
  spot: Spot | null
  /** Whether something is on the screen. */
  shown: boolean
  /** Studies that are open, the one that is read first. */
  known: Known[]
}

export const MOST_ROWS = 4
export const MOST_COLUMNS = 5
let next = 0

function pane(stack: Stack | null = null): Pane {
  next += 1
  return { id: `pane-${next}`, stack, over: NOTHING_OVER }
}

export class Viewing {
  private state: Model = { rows: 1, columns: 1, panes: [pane()], active: 0, tool: 'window', maximised: false, volume: null, linked: false, lines: true, playing: false, windows: false, zooms: false, spot: null, shown: false, known: [] }
  private readonly listeners = new Set<() => void>()
  /** Open viewports by pane. */
  readonly views = new Map<string, StackView>()
  /** The planes through a volume that are open. */
  cutting: VolumeView | null = null
  /** Whether the person has laid something out: then nothing is put anywhere by itself any more. */
  touched = false

  subscribe = (listener: () => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  get = () => this.state

  private set(change: Partial<Model>): void {
    this.state = { ...this.state, ...change }
    for (const listener of this.listeners) listener()
  }

  /** A layout that somebody chose. */
  layout(rows: number, columns: number): void {
    this.touched = true
    this.grid(rows, columns)
  }

  grid(rows: number, columns: number): void {
    const wanted = Math.min(rows, MOST_ROWS) * Math.min(columns, MOST_COLUMNS)
    const panes = this.state.panes.slice(0, wanted)
    while (panes.length < wanted) panes.push(pane())
    this.set({ rows, columns, panes, active: Math.min(this.state.active, wanted - 1), maximised: false })
  }

  /** Empty panes, nothing over them. */
  clear(): void {
    if (this.state.playing) this.play()
    this.set({ rows: 1, columns: 1, panes: [pane()], active: 0, volume: null, playing: false, tool: this.state.tool === 'crosshairs' ? 'window' : this.state.tool })
  }

  activate(index: number): void {
    if (index === this.state.active || !this.state.panes[index]) return
    if (this.state.playing) this.play()
    this.set({ active: index, playing: false })
  }

  /** A stack in a pane, with a presentation state or a segmentation over it where one is wanted. */
  show(stack: Stack, index = this.state.active, over: Partial<Over> = {}): void {
    this.touched = true
    if (this.state.playing) this.play()
    const { overlays, opacity } = this.state.panes[index]?.over ?? NOTHING_OVER
    const panes = this.state.panes.map((one, at) => (at === index ? { ...one, stack, start: undefined, over: { ...NOTHING_OVER, overlays, opacity, ...over } } : one))
    this.set({ panes, active: index, volume: null, tool: this.state.tool === 'crosshairs' ? 'window' : this.state.tool })
  }

  /** A stack into a pane by itself. */
  place(stack: Stack, index: number, start?: Start): void {
    this.set({ panes: this.state.panes.map((one, at) => (at === index ? { ...one, stack, start } : one)) })
  }

  /** What is known of an open study by now. */
  know(known: Known, at: number): void {
    const all = this.state.known.filter((one) => one.study !== known.study)
    all.splice(at, 0, known)
    this.set({ known: all })
  }

  stackOf(id: string): Stack | undefined {
    for (const { series } of this.state.known) {
      for (const { stacks } of series) {
        const found = stacks?.find((one) => one.id === id)
        if (found) return found
      }
    }
    return undefined
  }

  /** What lies over the images of a pane. */
  cover(change: Partial<Over>, index = this.state.active): void {
    this.set({ panes: this.state.panes.map((one, at) => (at === index ? { ...one, over: { ...one.over, ...change } } : one)) })
  }

  /** Overlay planes of all panes on or off. */
  showOverlays(): void {
    const overlays = !this.state.panes[this.state.active]!.over.overlays
    this.set({ panes: this.state.panes.map((one) => ({ ...one, over: { ...one.over, overlays } })) })
  }

  /** The stacks, one after the other, into the panes that are free. */
  fill(stacks: Stack[]): void {
    const left = stacks.filter((one) => !this.state.panes.some((shown) => shown.stack?.id === one.id))
    this.set({ panes: this.state.panes.map((one) => (one.stack ? one : { ...one, stack: left.shift() ?? null, over: { ...NOTHING_OVER, overlays: one.over.overlays } })) })
  }

  /** A stack as a volume; null: back to the stacks. */
  cut(stack: Stack | null): void {
    this.set({ volume: stack, tool: stack ? 'crosshairs' : 'window' })
  }

  take(tool: ToolId | 'crosshairs'): void {
    if (this.state.volume && !onPlanes(tool)) return
    this.set({ tool, spot: tool === 'cursor' ? this.state.spot : null })
  }

  /** Whether the tool in hand draws on images. */
  measures(): boolean {
    return (MEASURE as string[]).includes(this.state.tool) || this.state.tool === 'region'
  }

  link(on = !this.state.linked): void {
    this.set({ linked: on })
    this.moved(this.state.panes[this.state.active]!.id)
  }

  /** Windows, or zoom and place, of all panes together or each for itself. */
  share(what: 'windows' | 'zooms'): void {
    this.set(what === 'windows' ? { windows: !this.state.windows } : { zooms: !this.state.zooms })
    this.moved(this.state.panes[this.state.active]!.id)
  }

  /** Somebody points at a place of the patient in a pane: the others show it. */
  point(pane: string, point: [number, number, number]): void {
    const reference = this.views.get(pane)?.place()?.reference
    if (!reference) return
    for (const [other, view] of this.views) if (other !== pane) view.reach(point, reference)
    this.set({ spot: { point, reference, pane } })
  }

  showLines(): void {
    this.set({ lines: !this.state.lines })
  }

  play(): void {
    const view = this.view()
    if (view) this.set({ playing: view.play() })
  }

  /** The images of a pane are open. */
  opened(id: string, view: StackView): void {
    this.views.set(id, view)
    if (!this.state.shown) this.set({ shown: true })
  }

  /** An image was drawn in a pane. */
  moved(id: string): void {
    const { linked, windows, zooms, panes, active } = this.state
    const from = this.views.get(id)
    if (from && panes[active]?.id === id && (linked || windows || zooms)) follow(from, this.views.values(), { linked, windows, zooms })
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
