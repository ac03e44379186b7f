/**
 * Drawing where there is no WebGL. The engine's viewport has a way of its own there, with other ideas of where a pixel
 * lies, of windows and of screens with more pixels than CSS has. Here it is put right, so that nobody else needs to know,
 * and pixels are painted by our own greys.
 */
import { getConfiguration, type Types } from '@cornerstonejs/core'

import { matrixOf } from './framing'
import { grey, type Tones } from './tones'
import { range } from './windows'

export const byCpu = () => Boolean(getConfiguration().rendering?.useCPURendering)

/** What the engine draws by: `scale` in pixels of the canvas, for the shorter side of an image pixel. */
interface Drawn {
  canvas: HTMLCanvasElement
  image?: Types.IImage
  viewport: { scale: number; rotation: number; translation: { x: number; y: number }; pixelReplication: boolean }
}

interface Camera extends Types.ICamera {
  scale?: number
}

type Bounds = { lower: number; upper: number }

/** Of the engine's viewport what is not for others. */
interface Inner extends Pick<Types.IStackViewport, 'getImageData' | 'getZoom' | 'setZoom' | 'getPan' | 'setPan' | 'canvas' | 'element' | 'getProperties' | 'worldToCanvas' | 'canvasToWorld'> {
  _cpuFallbackEnabledElement: Drawn
  stackInvalidated: boolean
  voiRange: Bounds | null
  voiUpdatedWithSetProperties: boolean
  initialInvert: boolean
  worldToCanvasCPU(point: Types.Point3): Types.Point2
  canvasToWorldCPU(point: Types.Point2): Types.Point3 | undefined
  getCamera(): Camera
  setCamera(camera: Camera): void
  setCameraCPU(camera: Camera): void
  setVOI(bounds: Bounds | undefined, options?: { voiUpdatedWithSetProperties?: boolean; suppressEvents?: boolean }): void
  setInvertColor(invert: boolean): void
  resize(): void
  _updateToDisplayImageCPU(image: Types.IImage): void
}

const views = new WeakMap<Drawn, Types.IStackViewport>()
const ratio = () => devicePixelRatio || 1

/** Puts a viewport right; before its first image. */
export function correct(view: Types.IStackViewport): void {
  if (!byCpu()) return
  const inner = view as unknown as Inner
  views.set(inner._cpuFallbackEnabledElement, view)
  places(inner)
  sizes(inner)
  windows(inner)
}

/** A place in the patient is the middle of a pixel (PS3.3 C.7.6.2.1.1); here the engine takes it for the corner. */
function places(inner: Inner): void {
  const { worldToCanvasCPU: toCanvas, canvasToWorldCPU: toWorld, getImageData } = inner
  const moved = (point: Types.Point3, x: number, y: number): Types.Point3 => {
    const data = getImageData.call(inner)
    if (!data) return point
    const { spacing, direction } = data
    return [0, 1, 2].map((axis) => point[axis]! + x * spacing[0] * direction[axis]! + y * spacing[1] * direction[axis + 3]!) as Types.Point3
  }
  inner.worldToCanvas = inner.worldToCanvasCPU = (point) => (getImageData.call(inner) ? toCanvas(moved(point, 0.5, 0.5)) : [0, 0])
  inner.canvasToWorld = inner.canvasToWorldCPU = (point) => {
    const found = toWorld(point)
    return found ? moved(found, -0.5, -0.5) : [0, 0, 0]
  }
  inner.getImageData = () => {
    const data = getImageData.call(inner)
    if (!data) return data
    const { origin, spacing, direction } = data
    const along = (point: Types.Point3, axis: 0 | 1) =>
      [0, 1, 2].reduce((sum, at) => sum + (point[at]! - origin[at]!) * direction[3 * axis + at]!, 0) / spacing[axis]
    Object.assign(data.imageData as object, {
      worldToIndex: (point: Types.Point3) => [along(point, 0), along(point, 1), 0],
      indexToWorld: ([x, y]: Types.Point3) => moved(origin, x, y),
    })
    return data
  }
}

/** Zoom and pan as the engine counts them elsewhere, and canvases with all pixels of the screen. */
function sizes(inner: Inner): void {
  const drawn = inner._cpuFallbackEnabledElement
  // pixels that are not square: the longer side is drawn longer
  const stretch = (): [number, number] => {
    const { rowPixelSpacing: row, columnPixelSpacing: column } = drawn.image!
    return row > column ? [1, row / column] : [column / row, 1]
  }
  const fit = () => {
    const [across, down] = stretch()
    return Math.min(drawn.canvas.width / (drawn.image!.columns * across), drawn.canvas.height / (drawn.image!.rows * down))
  }
  inner.getZoom = () => (drawn.image ? drawn.viewport.scale / fit() : 1)
  inner.setZoom = (zoom) => {
    if (drawn.image && zoom > 0) inner.setCameraCPU({ scale: zoom * fit() })
  }
  // the engine moves images before it stretches them, along the sides of the screen
  const stretched = ({ x, y }: { x: number; y: number }, power: 1 | -1) => {
    const angle = (drawn.viewport.rotation * Math.PI) / 180
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
    const [across, down] = stretch().map((one) => (one * drawn.viewport.scale) ** power) as [number, number]
    const [u, v] = [(x * cos + y * sin) * across, (y * cos - x * sin) * down]
    return { x: u * cos - v * sin, y: u * sin + v * cos }
  }
  inner.getPan = () => {
    if (!drawn.image) return [0, 0]
    const { x, y } = stretched(drawn.viewport.translation, 1)
    return [x / ratio(), y / ratio()]
  }
  inner.setPan = ([x, y]) => {
    if (!drawn.image) return
    drawn.viewport.translation = stretched({ x: x * ratio(), y: y * ratio() }, -1)
    inner.setCameraCPU({})
  }
  const { setCamera } = inner
  inner.setCamera = ({ parallelScale, ...camera }) => {
    const spacing = inner.getImageData()?.spacing[1]
    if (parallelScale && spacing && Math.abs(parallelScale / (inner.getCamera().parallelScale || 1) - 1) > 1e-9) {
      camera.scale = (inner.element.clientHeight * ratio() * spacing) / (2 * parallelScale * stretch()[1])
    }
    setCamera.call(inner, camera)
  }
  inner.resize = () => {
    const { canvas, viewport } = drawn
    const [width, height] = [Math.round(canvas.clientWidth * ratio()), Math.round(canvas.clientHeight * ratio())]
    if (!width || !height || (canvas.width === width && canvas.height === height)) return
    if (drawn.image && canvas.height) viewport.scale *= height / canvas.height
    Object.assign(canvas, { width, height })
  }
}

/** A window that somebody chose stays while one scrolls, else each image has its own; so has the inversion of a stack. */
function windows(inner: Inner): void {
  const { setVOI, _updateToDisplayImageCPU: update } = inner
  inner.setVOI = (bounds, options) => {
    if (options?.voiUpdatedWithSetProperties) inner.voiUpdatedWithSetProperties = true
    setVOI.call(inner, bounds, options)
  }
  inner._updateToDisplayImageCPU = (image) => {
    const { stackInvalidated: first, voiRange } = inner
    update.call(inner, image)
    if (first) {
      inner.initialInvert = image.invert
      inner.setInvertColor(image.invert)
    }
    const own = range(image.windowCenter as number, image.windowWidth as number)
    inner.setVOI(!first && inner.voiUpdatedWithSetProperties && voiRange ? voiRange : own)
  }
}

/** By what greys are painted, and a name that is another one for others. */
const greys = new WeakMap<Drawn, { tones: Tones; key: string }>()

/** Gives a viewport its greys; returns whether that is a change. */
export function paintBy(view: Types.IStackViewport, tones: Tones, key: string): boolean {
  const drawn = (view as unknown as Inner)._cpuFallbackEnabledElement
  if (greys.get(drawn)?.key === key) return false
  greys.set(drawn, { tones, key })
  return true
}

interface Sheet {
  image: Types.IImage
  key: string
  canvas: HTMLCanvasElement
}

const sheets = new WeakMap<Drawn, Sheet>()

/** Draws an image; the engine calls it for what has it as `render`. */
export function paint(drawn: Drawn): void {
  const { canvas, image, viewport } = drawn
  const view = views.get(drawn)
  const context = canvas.getContext('2d')!
  context.setTransform(1, 0, 0, 1, 0, 0)
  context.fillStyle = 'black'
  context.fillRect(0, 0, canvas.width, canvas.height)
  const matrix = view && matrixOf(view)
  if (!image || !matrix) return
  context.setTransform(matrix)
  context.imageSmoothingEnabled = !viewport.pixelReplication
  context.imageSmoothingQuality = 'high'
  context.drawImage(sheetOf(drawn, image, view), 0, 0)
  context.setTransform(1, 0, 0, 1, 0, 0)
}

/** The image in greys or colours, a pixel for each of its own. */
function sheetOf(drawn: Drawn, image: Types.IImage, view: Types.IStackViewport): HTMLCanvasElement {
  const { voiRange, invert } = view.getProperties()
  const given = image.color ? undefined : greys.get(drawn)
  const key = given ? given.key : `${voiRange?.lower} ${voiRange?.upper} ${invert}`
  const before = sheets.get(drawn)
  if (before?.image === image && before.key === key) return before.canvas
  const canvas = before?.canvas ?? document.createElement('canvas')
  const { columns, rows } = image
  if (canvas.width !== columns || canvas.height !== rows) Object.assign(canvas, { width: columns, height: rows })
  const picture = new ImageData(columns, rows)
  const pixels = new Uint32Array(picture.data.buffer)
  if (image.color) inColours(image, pixels, voiRange ?? { lower: 0, upper: 255 }, Boolean(invert))
  else inGreys(image, pixels, given?.tones)
  canvas.getContext('2d')!.putImageData(picture, 0, 0)
  sheets.set(drawn, { image, key, canvas })
  return canvas
}

/** Opaque, in the byte order of every machine that runs a browser: alpha, blue, green, red. */
const opaque = (red: number, green: number, blue: number) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0

function inGreys(image: Types.IImage, pixels: Uint32Array, tones: Tones | undefined): void {
  if (!tones) return void pixels.fill(opaque(0, 0, 0))
  const values = image.getPixelData()
  const level = (value: number) => {
    const found = Math.floor(grey(tones, value) * 255 + 0.5)
    return opaque(found, found, found)
  }
  if (values instanceof Float32Array || values instanceof Float64Array) {
    for (let at = 0; at < pixels.length; at += 1) pixels[at] = level(values[at]!)
    return
  }
  const { minPixelValue: low, maxPixelValue: high } = image
  const table = Uint32Array.from({ length: high - low + 1 }, (_, at) => level(low + at))
  for (let at = 0; at < pixels.length; at += 1) pixels[at] = table[values[at]! - low]!
}

function inColours(image: Types.IImage, pixels: Uint32Array, { lower, upper }: Bounds, invert: boolean): void {
  const values = image.getPixelData()
  const levels = Uint8ClampedArray.from({ length: 256 }, (_, value) => {
    const part = Math.min(Math.max((value - lower) / (upper - lower || 1), 0), 1)
    return Math.floor((invert ? 1 - part : part) * 255 + 0.5)
  })
  for (let at = 0; at < pixels.length; at += 1) pixels[at] = opaque(levels[values[3 * at]!]!, levels[values[3 * at + 1]!]!, levels[values[3 * at + 2]!]!)
}
