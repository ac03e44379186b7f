/**
 * Frames as Cornerstone's images. Each is asked for in the way in which this browser can undo it: as stored where its
 * decoders are known to be right, else decoded by the server; where both fail, as the server renders it. A request ends
 * by itself, and an error is always an error, never a silence.
 */
import { cache, Enums, getWebWorkerManager, imageLoader, utilities, type Types } from '@cornerstonejs/core'

import { OtherSign, suits, type Stream } from './codecs'
import { byCpu, paint } from './cpu'
import { frameOf, SCHEME, type Frame } from './frames'
import { arriving, forgetEarly } from './early'
import { fetched, fill } from './bulk'
import { isSlow, tell } from './link'
import { group, isIntensity, plane, rescaleOf } from './modules'
import { embeddedOf, groupsOf, tagOf, type Plane } from './overlays'
import { paddingOf } from './padding'
import { colours, cut, extremes, modality, narrow, native, painted, within, type Layout, type Samples } from './pixels'
import { items, numbers, text, type DicomJson, type Element } from './series'
import { isInverse } from './tones'
import { measure, spanning, windowsOf } from './voi'

/** The longest that one frame may take; milliseconds. */
const PATIENCE = 45_000
const NATIVE = '1.2.840.10008.1.2.1'
const RLE = '1.2.840.10008.1.2.5'
const LOSSY_2000 = '1.2.840.10008.1.2.4.91'
const AS_STORED = 'application/octet-stream; transfer-syntax=*'
/** HTJ2K without loss where the server makes it. */
const SMALLER = `image/jphc; transfer-syntax=1.2.840.10008.1.2.4.202, ${AS_STORED}; q=0.5`

/** Images that are the server's picture: their values are greys of a screen, and are not measured. */
const pictures = new Set<string>()
export const isPicture = (imageId: string) => pictures.has(imageId)

/** Images that could not be had at all, with the reason; what is on their place is black and labelled. */
const failures = new Map<string, unknown>()
export const failureOf = (imageId: string) => failures.get(imageId)

/** Lets an image be asked for again. */
export function forget(imageId: string): void {
  failures.delete(imageId)
  pictures.delete(imageId)
  cache.removeImageLoadObject(imageId, { force: true })
}

/** Series whose frames the browser undid wrongly once: the server decodes them from then on. */
const distrusted = new Map<string, Partial<Layout>>()

/** What lies over an image and was found in its pixel cells. */
export interface Covers {
  padding: Uint8Array | null
  embedded: Plane[]
}

interface Options {
  targetBuffer?: { type?: string }
  signal?: AbortSignal
}

export function registerLoader(): void {
  imageLoader.registerImageLoader(SCHEME, ((imageId: string, options: Options) => {
    const stop = new AbortController()
    return { promise: load(imageId, options ?? {}, stop.signal), cancelFn: () => stop.abort() }
  }) as unknown as Types.ImageLoaderFn)
}

async function load(imageId: string, options: Options, cancelled: AbortSignal): Promise<Types.IImage> {
  const frame = frameOf(imageId)
  if (!frame) throw new Error(`no image is known as ${imageId}`)
  const signal = AbortSignal.any([cancelled, AbortSignal.timeout(PATIENCE)])
  try {
    const layout = layoutOf(frame)
    if (beyond(frame)) throw new Error('the server mixes greys and colours')
    const samples = await samplesOf(frame, layout, signal)
    await fill(tablesOf(frame), signal)
    return made(frame, samples, options)
  } catch (error) {
    if (cancelled.aborted) throw error
    console.warn('shown as the server renders it:', frame.address, error)
    return picture(frame, AbortSignal.any([cancelled, AbortSignal.timeout(PATIENCE)]), error)
  } finally {
    forgetEarly(imageId)
  }
}

export function layoutOf({ instance: { json, rows, columns } }: Frame): Layout {
  const number = (tag: string, otherwise: number) => numbers(json, tag)[0] ?? otherwise
  const samples = number('00280002', 1)
  const allocated = number('00280100', 8)
  const stored = number('00280101', allocated)
  return {
    rows,
    columns,
    samples,
    allocated,
    stored,
    high: number('00280102', stored - 1),
    signed: number('00280103', 0) === 1,
    planar: number('00280006', 0) === 1 && samples > 1,
    photometric: text(json, '00280004') || (samples === 3 ? 'RGB' : 'MONOCHROME2'),
  }
}

/** Greys and colours in one image (PS3.3 C.7.6.19), which the engine does not draw. */
function beyond({ instance: { json } }: Frame): boolean {
  return ['COLOR', 'MIXED'].includes(text(json, '00089205')) && text(json, '00280004').startsWith('MONOCHROME') && json['00281201'] !== undefined
}

/** Native grey frames, whose cells hold nothing but values: they can be compressed for their way without a loss. */
function isLarge({ instance: { json, transferSyntax } }: Frame, layout: Layout): boolean {
  const plain = /^1\.2\.840\.10008\.1\.2(\.1|\.2)?$/.test(transferSyntax) && kindOf(json) === 'integer'
  const clean = layout.high === layout.stored - 1 && !json['00280120'] && groupsOf(json).every((one) => json[tagOf(one, '3000')])
  return plain && clean && layout.samples === 1 && (layout.allocated === 8 || layout.allocated === 16)
}

interface Stored {
  values: Samples
  layout: Layout
  /** Whole pixel cells, where they hold more than the values. */
  cells: Samples | null
}

export async function samplesOf(frame: Frame, layout: Layout, signal: AbortSignal): Promise<Stored> {
  const { json, transferSyntax } = frame.instance
  const series = text(json, '0020000E')
  const decode = suits(transferSyntax, layout)
  if (decode && !distrusted.has(series)) {
    const from = performance.now()
    const response = await fetched(frame.address, isSlow() && isLarge(frame, layout) ? SMALLER : AS_STORED, signal)
    const begun = performance.now()
    const bytes = await arriving(response, frame, layout)
    // what is small comes with its head
    tell(bytes.length, performance.now() - (bytes.length < 1 << 16 ? from : begun))
    const sent = /transfer-syntax="?([0-9.]+)/.exec(response.headers.get('Content-Type') ?? '')?.[1] ?? transferSyntax
    if (sent === NATIVE) return stored(bytes, layout, json)
    try {
      return await undone({ bytes, transferSyntax: sent, decode: suits(sent, layout) }, layout, signal)
    } catch (error) {
      if (signal.aborted) throw error
      // whichever of the two says that there are negative values is right
      distrusted.set(series, error instanceof OtherSign ? { signed: true } : {})
      console.info('the server decodes this series:', error)
    }
  }
  const response = await fetched(frame.address, `application/octet-stream; transfer-syntax=${NATIVE}`, signal)
  const now = { ...asDecoded(transferSyntax, layout), ...distrusted.get(series) }
  return stored(new Uint8Array(await response.arrayBuffer()), now, json)
}

function stored(bytes: Uint8Array, layout: Layout, json: DicomJson): Stored {
  const cells = native(bytes, layout, kindOf(json))
  return { values: cut(cells, layout), layout, cells }
}

/** Compressed samples as the server gives them: interleaved, with colour transformations of the codec undone. */
function asDecoded(transferSyntax: string, layout: Layout): Layout {
  if (!/^1\.2\.840\.10008\.1\.2\.(4\.|5$|8\.)/.test(transferSyntax)) return layout
  const lossy = /\.4\.5[0135]$/.test(transferSyntax)
  const photometric =
    layout.samples === 3 && (lossy || /^YBR_(RCT|ICT)$/.test(layout.photometric))
      ? 'RGB'
      : layout.photometric === 'YBR_FULL_422'
        ? 'YBR_FULL'
        : layout.photometric
  return { ...layout, planar: false, photometric }
}

function kindOf(json: DicomJson): 'integer' | 'float' | 'double' {
  if (json['7FE00008']) return 'float'
  return json['7FE00009'] ? 'double' : 'integer'
}

async function undone(stream: Stream, layout: Layout, signal: AbortSignal): Promise<Stored> {
  if (!stream.decode) throw new Error(`not undone here: ${stream.transferSyntax}`)
  const now = stream.decode(stream.bytes)
  if (now.native) return { values: await coloured(stream.bytes, layout), layout: { ...layout, photometric: 'RGB', planar: false }, cells: null }
  const task = getWebWorkerManager().executeTask('dicomImageLoader', 'decodeTask', {
    imageFrame: {
      samplesPerPixel: layout.samples,
      photometricInterpretation: layout.photometric,
      planarConfiguration: layout.planar ? 1 : 0,
      rows: layout.rows,
      columns: layout.columns,
      bitsAllocated: layout.allocated,
      bitsStored: layout.stored,
      pixelRepresentation: layout.signed ? 1 : 0,
    },
    transferSyntax: stream.transferSyntax,
    pixelData: stream.bytes,
    options: { preScale: { enabled: false } },
    decodeConfig: {},
  }) as Promise<{ pixelData: Samples; rows: number; columns: number }>
  const aborted = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }))
  const { pixelData } = await Promise.race([task, aborted])
  if (pixelData.length !== layout.rows * layout.columns * layout.samples) throw new Error('the decoder gave another size')
  const after = { ...asDecoded(stream.transferSyntax, layout), photometric: now.photometric ?? layout.photometric }
  // run lengths are of whole cells; the other codecs know of values only
  const values = stream.transferSyntax === RLE ? cut(pixelData, layout) : stream.transferSyntax === LOSSY_2000 ? within(pixelData, layout) : pixelData
  return { values, layout: after, cells: pixelData }
}

/** Colour JPEG by the browser itself. */
async function coloured(bytes: Uint8Array, { rows, columns }: Layout): Promise<Uint8Array> {
  return rgb(new Blob([bytes as BlobPart], { type: 'image/jpeg' }), columns, rows)
}

async function rgb(blob: Blob, columns?: number, rows?: number): Promise<Uint8Array> {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: 'none' })
  if ((columns && bitmap.width !== columns) || (rows && bitmap.height !== rows)) throw new Error('the picture has another size')
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height)
  const context = canvas.getContext('2d', { willReadFrequently: true })!
  context.drawImage(bitmap, 0, 0)
  bitmap.close()
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height)
  const out = new Uint8Array((data.length / 4) * 3)
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    out[to] = data[from]!
    out[to + 1] = data[from + 1]!
    out[to + 2] = data[from + 2]!
  }
  return out
}

/** What of an object may be too long for its metadata, and is needed to show a frame. */
function tablesOf(frame: Frame): (Element | undefined)[] {
  const { json } = frame.instance
  const tables = [items(json, '00283000'), items(json, '20500010'), items(group(frame, '00289132'), '00283010')].flat()
  return [
    ...['00281201', '00281202', '00281203'].map((tag) => json[tag]),
    ...tables.map((item) => item['00283006']),
    ...groupsOf(json).map((one) => json[tagOf(one, '3000')]),
  ]
}

function made(frame: Frame, { values: stored, layout, cells }: Stored, options: Options): Types.IImage {
  const { json } = frame.instance
  const covers: Covers = { padding: paddingOf(stored, cells, json, layout), embedded: cells ? embeddedOf(json, cells, layout) : [] }
  if (layout.photometric === 'PALETTE COLOR') {
    const found = painted(stored, json, layout.signed)
    if (!found) throw new Error('the palette is not of a kind that is applied here')
    return image(frame, found, 3, { ...covers, padding: null })
  }
  if (layout.samples === 3) return image(frame, colours(stored, layout), 3)
  if (layout.samples !== 1) throw new Error(`${layout.samples} samples per pixel`)
  const { slope, intercept } = rescaleOf(frame)
  let values = narrow(isIntensity(frame) ? stored : modality(stored, json, slope, intercept))
  const wanted = options.targetBuffer?.type
  if (wanted && values.constructor.name !== wanted) {
    const kinds: Record<string, { from(values: ArrayLike<number>): Samples }> = { Uint8Array, Int16Array, Uint16Array, Float32Array }
    values = kinds[wanted]?.from(values) ?? values
  }
  return image(frame, values, 1, covers)
}

export function image(frame: Frame, values: Samples, components: 1 | 3, covers: Covers = { padding: null, embedded: [] }): Types.IImage {
  const { rows, columns, json } = frame.instance
  const [low, high] = extremes(values)
  const invert = components === 1 && isInverse(frame)
  if (components === 1 && !failures.has(frame.id)) measure(frame, ...(covers.padding ? extremes(values, covers.padding) : [low, high] as const))
  const window = components === 3 ? spanning(0, 255) : windowsOf(frame)
  const { rowPixelSpacing = 1, columnPixelSpacing = 1 } = plane(frame)
  const { slope, intercept } = byCpu() ? { slope: 1, intercept: 0 } : rescaleOf(frame)
  return {
    imageId: frame.id,
    dataType: values.constructor.name,
    color: components === 3,
    rgba: false,
    numberOfComponents: components,
    columns,
    rows,
    width: columns,
    height: rows,
    columnPixelSpacing,
    rowPixelSpacing,
    intercept,
    slope,
    preScale: { enabled: true, scaled: true, scalingParameters: { rescaleSlope: slope, rescaleIntercept: intercept, modality: text(json, '00080060') } },
    isPreScaled: true,
    invert,
    minPixelValue: low,
    maxPixelValue: high,
    windowCenter: window.center,
    windowWidth: window.width,
    voiLUTFunction: 'LINEAR',
    covers,
    sizeInBytes: values.byteLength,
    imageQualityStatus: Enums.ImageQualityStatus.FULL_RESOLUTION,
    imageFrame: { photometricInterpretation: components === 3 ? 'RGB' : 'MONOCHROME2', smallestPixelValue: low, largestPixelValue: high },
    voxelManager: utilities.VoxelManager.createImageVoxelManager({
      scalarData: values as never,
      width: columns,
      height: rows,
      numberOfComponents: components,
    }),
    getPixelData: () => values,
    getCanvas: undefined,
    ...(byCpu() && { render: paint }),
  } as unknown as Types.IImage
}

/** The server's rendering, where the values are not to be had. */
async function picture(frame: Frame, signal: AbortSignal, because: unknown): Promise<Types.IImage> {
  try {
    const response = await fetched(`${frame.address}/rendered`, 'image/png', signal)
    const values = await rgb(await response.blob(), frame.instance.columns, frame.instance.rows)
    pictures.add(frame.id)
    return image(frame, values, 3)
  } catch (error) {
    if (signal.aborted && signal.reason instanceof DOMException && signal.reason.name === 'AbortError') throw error
    console.warn('not rendered by the server either', error)
    failures.set(frame.id, because)
    const blank = { ...frame, instance: { ...frame.instance, rows: 16, columns: 16 } }
    return image(blank, new Uint8Array(256), 1)
  }
}
