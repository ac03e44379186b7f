/** Display shutters (PS3.3 C.7.6.11, C.7.6.15, C.11.12): what is hidden, and the grey it is hidden with. */
import { numbers, text, type DicomJson } from './series'

export interface Shutter {
  /** 1 for each pixel that is hidden. */
  hidden: Uint8Array
  /** 0 to 255. */
  grey: number
}

type Point = [number, number]

/** The shutter of an object or an item; null without one. `aspect`: height of a pixel by its width, for circles. */
export function shutterOf(json: DicomJson, rows: number, columns: number, aspect: number): Shutter | null {
  const shapes = json['00181600']?.Value ?? []
  let hidden: Uint8Array | null = null
  const hide = (outside: (row: number, column: number) => boolean) => {
    hidden ??= new Uint8Array(rows * columns)
    for (let row = 0, at = 0; row < rows; row += 1)
      for (let column = 0; column < columns; column += 1, at += 1) if (outside(row, column)) hidden[at] = 1
  }
  const edge = (tag: string, otherwise: number) => Math.trunc(numbers(json, tag)[0] ?? otherwise)
  // positions count from 1
  if (shapes.includes('RECTANGULAR') && json['00181602'] && json['00181608']) {
    const [left, right, top, bottom] = [edge('00181602', 1), edge('00181604', columns), edge('00181606', 1), edge('00181608', rows)]
    hide((row, column) => row < top - 1 || row >= bottom || column < left - 1 || column >= right)
  }
  const [centreRow, centreColumn] = numbers(json, '00181610')
  const radius = numbers(json, '00181612')[0] ?? 0
  if (shapes.includes('CIRCULAR') && centreRow !== undefined && centreColumn !== undefined && radius > 0) {
    hide((row, column) => (column + 1 - centreColumn) ** 2 + ((row + 1 - centreRow) * aspect) ** 2 > radius ** 2)
  }
  const corners = numbers(json, '00181620')
  if (shapes.includes('POLYGONAL') && corners.length >= 6) {
    // row and column of pixels, whose centres are half a pixel from their corners; the edge itself is shown
    const points: Point[] = []
    for (let at = 0; at + 1 < corners.length; at += 2) points.push([corners[at + 1]! - 0.5, corners[at]! - 0.5])
    const inside = filled(points, rows, columns)
    for (const [x, y] of points) if (x >= 0 && x < columns && y >= 0 && y < rows) inside[Math.trunc(y) * columns + Math.trunc(x)] = 1
    hide((row, column) => inside[row * columns + column] === 0)
  }
  // P-values of 16 bits
  return hidden && { hidden, grey: greyOf(json) }
}

/** Shutter Presentation Value as 0 to 255; black where absent. */
export const greyOf = (json: DicomJson) => Math.min(Math.max(numbers(json, '00181622')[0] ?? 0, 0), 0xffff) >> 8

/** The overlay group whose plane is the shutter, of a presentation state; null where there is none. */
export function bitmapGroup(json: DicomJson): number | null {
  if (!(json['00181600']?.Value ?? []).includes('BITMAP')) return null
  return Number(text(json, '00181623')) || null
}

/** Which pixels have their centre inside a closed polygon (even-odd). */
export function filled(points: Point[], rows: number, columns: number): Uint8Array {
  const out = new Uint8Array(rows * columns)
  for (let row = 0; row < rows; row += 1) {
    const y = row + 0.5
    const crossings: number[] = []
    points.forEach(([x0, y0], at) => {
      const [x1, y1] = points[(at + 1) % points.length]!
      if (y0 <= y !== y1 <= y) crossings.push(x0 + ((y - y0) / (y1 - y0)) * (x1 - x0))
    })
    crossings.sort((a, b) => a - b)
    for (let at = 0; at + 1 < crossings.length; at += 2) {
      const from = Math.min(Math.max(Math.ceil(crossings[at]! - 0.5), 0), columns)
      const to = Math.min(Math.max(Math.ceil(crossings[at + 1]! - 0.5), 0), columns)
      out.fill(1, row * columns + from, row * columns + to)
    }
  }
  return out
}
