/** The values of one image, as they are measured. */
import { cache } from '@cornerstonejs/core'

import { isPicture, type Covers } from '../engine/loader'

/** In the units of the image, row by row; `padding`: where there is none. */
export interface Pixels {
  values: ArrayLike<number>
  padding: Uint8Array | null
  columns: number
  rows: number
}

/** Null where the image is not here, is in colour, or is only the server's picture of it. */
export function pixelsOf(imageId: string): Pixels | null {
  const image = cache.getImage(imageId) as (ReturnType<typeof cache.getImage> & { covers?: Covers }) | undefined
  if (!image || image.color || isPicture(imageId)) return null
  return { values: image.getPixelData(), padding: image.covers?.padding ?? null, columns: image.columns, rows: image.rows }
}
