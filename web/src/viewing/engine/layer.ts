/**
 * What lies over an image: padding and shutters, overlays, segments, and what a presentation state draws. On a canvas of
 * its own between the image and the annotations, drawn by the image's own transformation.
 */
import type { Types } from '@cornerstonejs/core'

import type { Frame } from './frames'
import { figure, words, type Placing } from './figures'
import { matrixOf } from './framing'
import type { Covers } from './loader'
import { group } from './modules'
import { planesOf, type Plane } from './overlays'
import type { Sheet } from './segments'
import { bitmapGroup, greyOf, shutterOf } from './shutters'
import { spacingAt } from './spacing'
import type { State } from './state'

/** What is to lie over the frame that is shown. */
export interface Covering {
  frame: Frame
  /** The image has all of it but segments drawn into it already. */
  bare: boolean
  covers: Covers | undefined
  overlays: boolean
  state: State | null
  /** Colours of segments, the size of the image. */
  segments: Sheet | null
  opacity: number
}

const MOST = 24

export class Layer {
  readonly canvas: HTMLCanvasElement
  private readonly sheets = new Map<string, HTMLCanvasElement | null>()

  constructor(private readonly view: Types.IStackViewport) {
    this.canvas = document.createElement('canvas')
    this.canvas.style.cssText = 'position:absolute;inset:0;width:100%;height:100%;pointer-events:none'
    this.canvas.dataset.layer = ''
    view.canvas.after(this.canvas)
  }

  close(): void {
    this.canvas.remove()
  }

  /** Image pixels to those of the canvas: x and y of a point, from the upper left corner of the image. */
  transformation(): DOMMatrix | null {
    return matrixOf(this.view)
  }

  /** Where a box of image pixels lies on the canvas: left, top, right, bottom. */
  boxOf(matrix: DOMMatrix, [left, top, right, bottom]: [number, number, number, number]): Placing['box'] {
    const [a, b] = [matrix.transformPoint({ x: left, y: top }), matrix.transformPoint({ x: right, y: bottom })]
    return [Math.min(a.x, b.x), Math.min(a.y, b.y), Math.max(a.x, b.x), Math.max(a.y, b.y)]
  }

  draw(covering: Covering | null): void {
    const { width, height } = this.view.canvas
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height })
    const context = this.canvas.getContext('2d')!
    context.setTransform(1, 0, 0, 1, 0, 0)
    context.clearRect(0, 0, width, height)
    const matrix = covering && this.transformation()
    if (!covering || !matrix) return
    const { frame, state, segments } = covering
    context.setTransform(matrix)
    const scale = Math.sqrt(Math.abs(matrix.a * matrix.d - matrix.b * matrix.c))
    // pixels stay pixels where they are large; thin lines stay visible where they are small
    context.imageSmoothingEnabled = scale < 0.999
    context.imageSmoothingQuality = 'high'
    const sheet = covering.bare ? null : this.sheetOf(covering)
    if (sheet) context.drawImage(sheet, 0, 0)
    if (segments) {
      context.globalAlpha = covering.opacity
      context.drawImage(segments.picture, 0, 0)
      context.globalAlpha = 1
    }
    context.setTransform(1, 0, 0, 1, 0, 0)
    if (!state || covering.bare) return
    const box = state.area(frame)?.box ?? [0, 0, frame.instance.columns, frame.instance.rows]
    const placing: Placing = { matrix, box: this.boxOf(matrix, box), ratio: width / (this.view.canvas.clientWidth || 1) }
    const drawings = state.drawings(frame)
    for (const one of drawings.figures) figure(context, one, placing)
    for (const one of drawings.words) words(context, one, placing)
  }

  /** Padding, shutter and overlays in one picture of the image's size; null where there is nothing. */
  private sheetOf(covering: Covering): HTMLCanvasElement | null {
    const { frame, covers, overlays, state } = covering
    const key = `${frame.id} ${overlays} ${state?.sop ?? ''} ${Boolean(covers)}`
    const found = this.sheets.get(key)
    if (found !== undefined) return found
    const made = sheet(frame, covers, overlays, state)
    this.sheets.set(key, made)
    if (this.sheets.size > MOST) this.sheets.delete(this.sheets.keys().next().value!)
    return made
  }
}

function sheet(frame: Frame, covers: Covers | undefined, overlays: boolean, state: State | null): HTMLCanvasElement | null {
  const { json, rows, columns } = frame.instance
  const spacing = spacingAt(json, frame.frame)
  const source = state ? state.json : group(frame, '00189472')
  const shutter = shutterOf(source, rows, columns, spacing.source === 'none' ? 1 : spacing.row / spacing.column)
  const planes = overlays ? planesFor(frame, covers, state) : []
  const bitmap = state ? bitmapGroup(state.json) : null
  const shutting = bitmap === null ? [] : planesOf(state!.json, frame.frame, [bitmap])
  const padding = covers?.padding
  if (!shutter && !padding && planes.length === 0 && shutting.length === 0) return null
  const picture = new ImageData(columns, rows)
  const pixels = new Uint32Array(picture.data.buffer)
  // opaque, in the byte order of every machine that runs a browser: alpha, blue, green, red
  const level = (grey: number) => (0xff000000 | (grey << 16) | (grey << 8) | grey) >>> 0
  if (padding?.length === pixels.length) for (let at = 0; at < pixels.length; at += 1) if (padding[at]) pixels[at] = level(0)
  if (shutter) for (let at = 0; at < pixels.length; at += 1) if (shutter.hidden[at]) pixels[at] = level(shutter.grey)
  for (const one of shutting) lay(one, pixels, rows, columns, level(greyOf(source)))
  for (const one of planes) lay(one, pixels, rows, columns, level(255))
  const made = Object.assign(document.createElement('canvas'), { width: columns, height: rows })
  made.getContext('2d')!.putImageData(picture, 0, 0)
  return made
}

/** A presentation state decides which overlays are shown: its own, else the image's of those groups. */
function planesFor(frame: Frame, covers: Covers | undefined, state: State | null): Plane[] {
  const { json } = frame.instance
  if (!state) return [...planesOf(json, frame.frame), ...(covers?.embedded ?? [])]
  const active = state.activeOverlays
  const own = planesOf(state.json, frame.frame, active)
  const left = active.filter((one) => !own.some((plane) => plane.group === one))
  return [...own, ...planesOf(json, frame.frame, left), ...(covers?.embedded ?? []).filter((plane) => left.includes(plane.group))]
}

function lay(plane: Plane, pixels: Uint32Array, rows: number, columns: number, colour: number): void {
  for (let row = Math.max(0, -plane.top); row < plane.rows && row + plane.top < rows; row += 1) {
    const to = (row + plane.top) * columns + plane.left
    for (let column = Math.max(0, -plane.left); column < plane.columns && column + plane.left < columns; column += 1) {
      if (plane.bits[row * plane.columns + column]) pixels[to + column] = colour
    }
  }
}
