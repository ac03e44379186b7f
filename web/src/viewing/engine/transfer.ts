/** The greys of tones.ts, given to the engine: its graphics processor takes a table of colours; without one see cpu.ts. */
import type { Types } from '@cornerstonejs/core'
import vtkDataArray from '@kitware/vtk.js/Common/Core/DataArray.js'
import vtkColorTransferFunction from '@kitware/vtk.js/Rendering/Core/ColorTransferFunction.js'

import { byCpu, paintBy } from './cpu'
import { grey, isLut, isStraight, reach, type Tones } from './tones'

/** Entries of a table on the graphics processor; every one takes textures of this width. */
const MOST = 4096
/** Of the engine where a straight line is drawn. */
const USUAL = 1024

type TransferFunction = ReturnType<typeof vtkColorTransferFunction.newInstance>

interface Made {
  function: TransferFunction
  width: number
  ends: string
}

/** By which it is seen whether the engine has stretched or inverted a function that it was given. */
function endsOf(made: TransferFunction): string {
  const node = (at: number) => {
    const values: number[] = []
    made.getNodeValue(at, values as never)
    return values.slice(0, 4)
  }
  const last = made.getSize() - 1
  return [last, node(0), node(last)].join()
}

/** By what they are made of: scrolling makes none anew. */
const kept = new Map<string, Made>()
const names = new WeakMap<object, number>()
let count = 0

function nameOf(one: object | null): number {
  if (!one) return 0
  if (!names.has(one)) names.set(one, (count += 1))
  return names.get(one)!
}

function keyOf({ voi, presentation, inverse, before }: Tones): string {
  const first = 'entries' in voi ? `lut ${nameOf(voi.entries)} ${voi.first}` : `${voi.center} ${voi.width} ${voi.function}`
  return `${first} ${nameOf(presentation?.entries ?? null)} ${inverse} ${before ?? ''}`
}

function table(tones: Tones): Made {
  const made = vtkColorTransferFunction.newInstance()
  let [low, high] = reach(tones)
  if (isStraight(tones)) {
    const [black, white] = tones.inverse ? [1, 0] : [0, 1]
    made.addRGBPoint(low, black, black, black)
    made.addRGBPoint(high, white, white, white)
    return { function: made, width: USUAL, ends: endsOf(made) }
  }
  // whole numbers lie in the middle of a texel where there are no more of them than texels
  low = Math.floor(low) - 0.5
  high = Math.ceil(high) + 0.5
  // between whole numbers there may be others; an odd number of texels for each keeps those in the middle
  const each = isLut(tones.voi) ? 1 : 2 * Math.floor(USUAL / (high - low) / 2) + 1
  const width = Math.min(Math.max((high - low) * each, 2), MOST)
  const values = new Float64Array(width * 6)
  for (let at = 0; at < width; at += 1) {
    const value = grey(tones, low + ((at + 0.5) / width) * (high - low))
    values.set([low + (at / (width - 1)) * (high - low), value, value, value, 0.5, 0], at * 6)
  }
  made.buildFunctionFromArray(vtkDataArray.newInstance({ values, numberOfComponents: 6 }))
  return { function: made, width, ends: endsOf(made) }
}

function madeOf(tones: Tones): Made {
  const key = keyOf(tones)
  let found = kept.get(key)
  if (!found || endsOf(found.function) !== found.ends) found = table(tones)
  kept.delete(key)
  kept.set(key, found)
  if (kept.size > 64) kept.delete(kept.keys().next().value!)
  return found
}

interface Property {
  getRGBTransferFunction: (at: number) => TransferFunction | null
  setRGBTransferFunction: (at: number, made: TransferFunction) => void
  setUseLookupTableScalarRange: (use: boolean) => void
}

/** Draws a viewport with these tones; returns whether that is a change. */
export function draw(view: Types.IStackViewport, tones: Tones): boolean {
  if (byCpu()) return paintBy(view, tones, keyOf(tones))
  const actor = view.getDefaultActor()?.actor as { getProperty(): Property; getMapper(): { setColorTextureWidth(width: number): boolean } } | undefined
  if (!actor) return false
  const wanted = madeOf(tones)
  const property = actor.getProperty()
  const before = property.getRGBTransferFunction(0)
  const sized = actor.getMapper().setColorTextureWidth(wanted.width)
  if (before === wanted.function && !sized) return false
  property.setUseLookupTableScalarRange(true)
  property.setRGBTransferFunction(0, wanted.function)
  return true
}
