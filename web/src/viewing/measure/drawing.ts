/**
 * What is drawn on a study: kept as a draft on the server while it is drawn, restored when the study opens, saved as
 * DICOM. What could not be kept stays here and is tried again; nothing is given up while the page is open.
 */
import { eventTarget, getRenderingEngines } from '@cornerstonejs/core'
import { annotation as annotations, Enums } from '@cornerstonejs/tools'

import { api, data } from '../../api/client'
import { Problem } from '../../api/problem'
import { frameOf } from '../engine/frames'
import { text as said } from '../engine/series'
import { start } from '../engine/start'
import { TOOLS } from '../engine/tools'
import { asking } from './asking'
import { takeCalibrations } from './calibrations'
import { drawnOf, imageOf, isNothing, markOf, plainOf, type Annotation, type Drawn, type Measured } from './shapes'

export type Status = 'opening' | 'empty' | 'saving' | 'saved' | 'waiting'

export interface State {
  status: Status
  /** Of the draft, in the order in which they were drawn. */
  own: Annotation[]
  /** Of reports. */
  measured: Measured[]
  leftOut: number
  /** Reports of which the draft is a later version. */
  previous: string[]
  /** It could not be read what is kept. */
  failed: unknown
}

const QUIET = 600
const RETRY = [1_000, 2_000, 5_000, 10_000, 30_000]
const CHANGES = [
  Enums.Events.ANNOTATION_COMPLETED,
  Enums.Events.ANNOTATION_MODIFIED,
  Enums.Events.ANNOTATION_REMOVED,
]

export class Drawing {
  private state: State = { status: 'opening', own: [], measured: [], leftOut: 0, previous: [], failed: null }
  private readonly listeners = new Set<() => void>()
  private version = 0
  private kept = ''
  private timer: ReturnType<typeof setTimeout> | undefined
  private tries = 0
  private busy = false
  private open = false
  private closed = false
  /** Whose images are not known yet, or which no tool of ours draws: kept as they are. */
  private pending: Annotation[] = []
  /** (SOP Instance UID, frame) -> image id */
  private images = new Map<string, string>()
  private shown = new Set<string>()

  /** `row`: whose, where another patient's images have the number of this study, too; 0: no other's have. */
  constructor(
    readonly study: string,
    private readonly row: number,
  ) {}

  /** Only what is on known images is of this patient. */
  private get apart(): boolean {
    return this.row > 0
  }

  subscribe = (listener: () => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  get = () => this.state

  private set(change: Partial<State>): void {
    this.state = { ...this.state, ...change }
    for (const listener of this.listeners) listener()
  }

  /** Begins; returns how to end. */
  start(): () => void {
    this.closed = false
    for (const name of CHANGES) eventTarget.addEventListener(name, this.changed)
    eventTarget.addEventListener(Enums.Events.ANNOTATION_COMPLETED, this.ended)
    addEventListener('beforeunload', this.leaving)
    addEventListener('online', this.keepNow)
    void this.read()
    return () => {
      if (this.dirty()) void this.keep()
      this.closed = true
      clearTimeout(this.timer)
      for (const name of CHANGES) eventTarget.removeEventListener(name, this.changed)
      eventTarget.removeEventListener(Enums.Events.ANNOTATION_COMPLETED, this.ended)
      removeEventListener('beforeunload', this.leaving)
      removeEventListener('online', this.keepNow)
      for (const one of this.drawn()) annotations.state.removeAnnotation(one.annotationUID!)
      this.shown.clear()
    }
  }

  /** Takes away what is no drawing, when the tool is done with it. */
  private readonly ended = (event: Event): void => {
    const drawn = (event as CustomEvent<{ annotation: Drawn }>).detail.annotation
    const away = () => {
      if (drawn.annotationUID) annotations.state.removeAnnotation(drawn.annotationUID)
      redraw()
    }
    if (isNothing(drawn)) setTimeout(away)
    else if (drawn.metadata.toolName === TOOLS.calibration.class.toolName && this.holds(drawn)) {
      asking.ask({
        kind: 'known',
        answer: (mm) => {
          if (!mm) return away()
          markOf(drawn).known = mm
          this.refresh()
          this.changed()
        },
      })
    }
  }

  /** Reads what is kept and what reports say. */
  async read(): Promise<void> {
    this.set({ failed: null })
    try {
      // it knows where images lie
      await start()
      const path = { study_uid: this.study }
      const draft = await data(api.GET('/studies/{study_uid}/draft', { params: { path } }))
      if (this.closed) return
      this.version = draft.version
      const here = new Set(this.collect().map((one) => one.id))
      this.pending.push(...draft.annotations.filter((one) => !here.has(one.id)))
      this.open = true
      this.kept = draft.version ? text(this.own(), draft.previous) : ''
      this.set({ previous: draft.previous })
      this.place()
      this.refresh()
      this.set({ status: this.state.own.length ? 'saved' : 'empty' })
      await this.readReports()
    } catch (error) {
      if (!this.closed) this.set({ failed: error })
    }
  }

  async readReports(): Promise<void> {
    const found = await data(api.GET('/studies/{study_uid}/measurements', { params: { path: { study_uid: this.study }, query: this.row ? { row: this.row } : {} } }))
    if (this.closed) return
    for (const one of this.drawn()) if (markOf(one).report) annotations.state.removeAnnotation(one.annotationUID!)
    this.shown.clear()
    this.set({ measured: found.annotations, leftOut: found.left_out })
    this.place()
  }

  /** The images that are known by now. */
  know(imageIds: string[]): void {
    for (const id of imageIds) {
      const frame = frameOf(id)
      if (frame) this.images.set(`${frame.instance.sop}/${frame.frame}`, id)
    }
    this.place()
  }

  /** The image it is on; of a plane, for which no image is named, one with the same coordinates. */
  imageOf(one: Pick<Measured, 'sop' | 'frame' | 'plane'> | Annotation): string | undefined {
    if (one.sop || !one.plane) return this.images.get(`${one.sop}/${one.frame}`)
    return [...this.images.values()].find((id) => referenceOf(id) === one.plane!.reference)
  }

  /** Puts onto the images what is known of them. */
  private place(): void {
    if (!this.open) return
    let changed = false
    this.pending = this.pending.filter((one) => {
      const image = this.imageOf(one)
      const made = image && drawnOf(one, image)
      if (!made) return true
      annotations.state.addAnnotation(made, made.metadata.FrameOfReferenceUID ?? '')
      changed = true
      return false
    })
    const replaced = new Set(this.state.previous)
    for (const one of this.state.measured) {
      const key = `${one.report}/${one.id}`
      const image = this.imageOf(one)
      const made = !this.shown.has(key) && !replaced.has(one.report) && image ? drawnOf(one, image, one.report) : null
      if (!made) continue
      this.shown.add(key)
      // by its name: what the annotation itself says of its lock is overwritten when it is added
      annotations.locking.setAnnotationLocked(key, true)
      annotations.config.style.setAnnotationStyles(key, { color: 'rgb(140, 200, 255)', textBoxColor: 'rgb(140, 200, 255)' })
      annotations.state.addAnnotation(made, made.metadata.FrameOfReferenceUID ?? '')
      changed = true
    }
    this.calibrate()
    if (changed) redraw()
  }

  /** What is on the images of this study. */
  private drawn(): Drawn[] {
    return annotations.state.getAllAnnotations().filter((one): one is Drawn => Boolean(one.metadata) && this.holds(one as Drawn))
  }

  private holds(drawn: Drawn): boolean {
    return imageOf(drawn)?.includes(`/studies/${this.study}/`) ?? false
  }

  private readonly order = new Map<string, number>()

  /** Of the draft, in the order in which it was drawn; the tools keep each kind for itself. */
  private own(): Annotation[] {
    const all = [...this.pending, ...this.collect()]
    for (const one of all) if (!this.order.has(one.id)) this.order.set(one.id, this.order.size)
    return all.sort((a, b) => this.order.get(a.id)! - this.order.get(b.id)!)
  }

  private collect(): Annotation[] {
    return this.drawn().flatMap((one) => (markOf(one).report ? [] : (plainOf(one) ?? [])))
  }

  private refresh(): void {
    this.calibrate()
    const own = this.own()
    if (text(own, []) !== text(this.state.own, [])) this.set({ own })
  }

  /** One's own calibrations count after those of reports. */
  private calibrate(): void {
    const replaced = new Set(this.state.previous)
    const said = this.state.measured.filter((one) => !replaced.has(one.report))
    if (takeCalibrations(this.study, [...said, ...this.own()], (one) => this.imageOf(one))) redraw()
  }

  private dirty(): boolean {
    if (!this.open) return this.state.own.length > 0
    const own = this.own()
    return own.length || this.version ? text(own, this.state.previous) !== this.kept : false
  }

  private readonly changed = () => {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      this.refresh()
      if (this.open && this.dirty()) void this.keep()
      else if (!this.open) void this.read()
    }, this.tries ? RETRY[0] : QUIET)
  }

  private readonly leaving = (event: BeforeUnloadEvent) => {
    if (!this.dirty() && !this.busy) return
    void this.keep()
    event.preventDefault()
  }

  /** Tries at once what waits. */
  readonly keepNow = () => {
    if (this.state.status === 'waiting') void this.keep()
  }

  private async keep(): Promise<void> {
    if (this.busy) return
    this.busy = true
    clearTimeout(this.timer)
    const own = this.own()
    const sent = text(own, this.state.previous)
    this.set({ status: 'saving' })
    try {
      const answer = await data(
        api.PUT('/studies/{study_uid}/draft', {
          params: { path: { study_uid: this.study } },
          body: { version: this.version, annotations: own, previous: this.state.previous },
        }),
      )
      this.version = answer.version
      this.kept = sent
      this.tries = 0
      this.set({ status: own.length ? 'saved' : 'empty' })
    } catch (error) {
      if (error instanceof Problem && error.status === 409) await this.join().catch(() => undefined)
      const wait = RETRY[Math.min(this.tries, RETRY.length - 1)]!
      this.tries += 1
      this.set({ status: 'waiting' })
      if (!this.closed) this.timer = setTimeout(() => void this.keep(), wait)
      return
    } finally {
      this.busy = false
    }
    if (!this.closed && this.dirty()) this.changed()
  }

  /** Another window was first: what it drew is taken over, what is drawn here stays. */
  private async join(): Promise<void> {
    const draft = await data(api.GET('/studies/{study_uid}/draft', { params: { path: { study_uid: this.study } } }))
    const before = new Set((this.kept ? (JSON.parse(this.kept) as [Annotation[]])[0] : []).map((one) => one.id))
    const here = new Set(this.own().map((one) => one.id))
    // what was known and is not here any more was deleted here
    this.pending.push(...draft.annotations.filter((one) => !here.has(one.id) && !before.has(one.id)))
    this.version = draft.version
    this.set({ previous: [...new Set([...this.state.previous, ...draft.previous])] })
    this.place()
    this.refresh()
  }

  remove(id: string): void {
    this.pending = this.pending.filter((one) => one.id !== id)
    if (annotations.state.getAnnotation(id)) annotations.state.removeAnnotation(id)
    redraw()
    this.changed()
    this.refresh()
  }

  label(id: string, label: string): void {
    const found = annotations.state.getAnnotation(id)
    if (found) (found.data as { label?: string }).label = label
    this.pending = this.pending.map((one) => (one.id === id ? { ...one, label } : one))
    redraw()
    this.refresh()
    this.changed()
  }

  /** Takes a report of one's own apart, to save a later version of it. */
  revise(report: string): void {
    const taken = this.state.measured.filter((one) => one.report === report)
    for (const one of this.drawn()) if (markOf(one).report === report) annotations.state.removeAnnotation(one.annotationUID!)
    const known = new Set(this.state.own.map((one) => one.id))
    this.pending.push(
      ...taken
        .filter((one) => !known.has(one.id) && one.tool !== 'other')
        // with its plane: without it, mm on the plane would be taken for pixels of the image
        .map(({ id, tool, sop, frame, points, plane, values, label, spacing }) => ({ id, tool, sop, frame, points, ...(plane ? { plane } : {}), values, label, spacing, world: [], colour: '' }) as Annotation),
    )
    this.set({ previous: [...this.state.previous, report] })
    this.place()
    this.refresh()
    void this.keep()
  }

  /** Saves the draft as DICOM. `save`: a UUID of this save, the same when it is tried again. */
  async save(save: string, keyImages: boolean): Promise<void> {
    // what is drawn meanwhile is kept afterwards
    while (this.busy) await new Promise((done) => setTimeout(done, 50))
    if (this.dirty()) await this.keep()
    this.busy = true
    try {
      await this.become(save, keyImages)
    } finally {
      this.busy = false
      this.changed()
    }
    await this.readReports()
  }

  private async become(save: string, keyImages: boolean): Promise<void> {
    const own = this.own().filter((one) => !this.apart || this.imageOf(one) !== undefined)
    await data(
      api.POST('/studies/{study_uid}/measurements', {
        params: { path: { study_uid: this.study } },
        body: {
          save,
          annotations: own,
          // a plane through many images has none
          key_images: keyImages ? [...new Set(own.flatMap((one) => (one.plane ? [] : one.sop)))].slice(0, 200) : [],
          previous: this.state.previous,
          // what is left of it is kept
          draft: this.apart ? 0 : this.version,
        },
      }),
    )
    // it is in the archive now: what is shown from here on is read from there
    const saved = new Set(own.map((one) => one.id))
    this.pending = this.pending.filter((one) => !saved.has(one.id))
    for (const one of this.drawn()) if (saved.has(one.annotationUID!)) annotations.state.removeAnnotation(one.annotationUID!)
    this.set({ previous: [] })
    if (!this.apart) {
      this.version = 0
      this.kept = ''
    }
    this.refresh()
    this.set({ status: 'empty' })
  }
}

function referenceOf(imageId: string): string {
  return said(frameOf(imageId)?.instance.json ?? {}, '00200052')
}

function text(own: Annotation[], previous: string[]): string {
  return JSON.stringify([own, previous])
}

function redraw(): void {
  for (const engine of getRenderingEngines() ?? []) engine.render()
}
