/**
 * What can be seen of a frame before all of it is here: HTJ2K in the order of resolutions (PS3.5 A.4.14) has the coarse
 * picture first. It is drawn over the viewport that waits for the frame, marked as a preview, and never measured: the
 * engine itself knows of whole frames only.
 */
import { getWebWorkerManager } from '@cornerstonejs/core'

import type { Frame } from './frames'
import { isSlow } from './link'
import { rescaleOf } from './modules'
import type { Layout, Samples } from './pixels'
import { isInverse } from './tones'

/** What the server makes for slow links, and what is stored as 1.2.840.10008.1.2.4.202. */
const IN_ORDER = /^image\/jphc|1\.2\.840\.10008\.1\.2\.4\.202/
/** Halvings of the picture that is decoded early. */
const LEVEL = 2
/** Of a stream, so much holds that picture: a sixteenth of the samples, which compress less well than the rest. */
const SHARE = 0.15
/** Shorter streams are here soon enough. */
const SHORT = 12_288

/** Pictures that are kept at the most. */
const MOST = 24

export interface Early {
  /** In the units of the modality; of every fourth row and column. */
  values: Float32Array
  rows: number
  columns: number
  /** Low values are bright. */
  inverse: boolean
}

const found = new Map<string, Early>()
const listeners = new Set<() => void>()

export const earlyOf = (imageId: string) => found.get(imageId)

export function whenEarly(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** It is here as a whole, or will not come: soon nobody looks at it any more. */
export const forgetEarly = (imageId: string) => void setTimeout(() => found.delete(imageId), 2000)

/** All bytes of an answer; on their way, what is here of them is shown. */
export async function arriving(response: Response, frame: Frame, layout: Layout): Promise<Uint8Array> {
  const total = Number(response.headers.get('Content-Length'))
  const type = response.headers.get('Content-Type') ?? ''
  if (!response.body || !isSlow() || !IN_ORDER.test(type) || !(total > SHORT) || layout.samples !== 1) return new Uint8Array(await response.arrayBuffer())
  const bytes = new Uint8Array(total)
  const reader = response.body.getReader()
  let here = 0
  let shown = false
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    if (here + value.length > total) throw new Error('the answer is longer than it said')
    bytes.set(value, here)
    here += value.length
    if (!shown && here >= total * SHARE && here < total) {
      shown = true
      void show(bytes.slice(0, here), frame, layout)
    }
  }
  if (here !== total) throw new Error('the answer is shorter than it said')
  return bytes
}

async function show(bytes: Uint8Array, frame: Frame, layout: Layout): Promise<void> {
  try {
    const side = (whole: number) => Math.ceil(whole / 2 ** LEVEL)
    const [rows, columns] = [side(layout.rows), side(layout.columns)]
    const { pixelData } = (await getWebWorkerManager().executeTask('dicomImageLoader', 'decodeTask', {
      imageFrame: {
        samplesPerPixel: 1,
        photometricInterpretation: layout.photometric,
        planarConfiguration: 0,
        rows: layout.rows,
        columns: layout.columns,
        bitsAllocated: layout.allocated,
        bitsStored: layout.stored,
        pixelRepresentation: layout.signed ? 1 : 0,
        decodeLevel: LEVEL,
      },
      transferSyntax: '1.2.840.10008.1.2.4.202',
      pixelData: bytes,
      options: { preScale: { enabled: false } },
      decodeConfig: {},
    })) as { pixelData: Samples }
    if (pixelData.length !== rows * columns) throw new Error('the decoder gave another size')
    const { slope, intercept } = rescaleOf(frame)
    found.set(frame.id, { values: Float32Array.from(pixelData, (value) => value * slope + intercept), rows, columns, inverse: isInverse(frame) })
    // the whole may have been faster
    if (found.size > MOST) found.delete(found.keys().next().value!)
    for (const listener of listeners) listener()
  } catch (error) {
    // the whole is on its way
    console.info('nothing to be seen early:', error)
  }
}

/** Draws it through a straight window, one pixel for each of its own. */
export function drawEarly({ values, rows, columns, inverse }: Early, canvas: HTMLCanvasElement, window: { center: number; width: number; invert: boolean }): void {
  canvas.width = columns
  canvas.height = rows
  const context = canvas.getContext('2d')!
  const picture = context.createImageData(columns, rows)
  const low = window.center - window.width / 2
  const flip = window.invert !== inverse
  for (let at = 0; at < values.length; at += 1) {
    const share = Math.min(Math.max((values[at]! - low) / Math.max(window.width, 1e-6), 0), 1)
    const grey = 255 * (flip ? 1 - share : share)
    picture.data.set([grey, grey, grey, 255], at * 4)
  }
  context.putImageData(picture, 0, 0)
}
