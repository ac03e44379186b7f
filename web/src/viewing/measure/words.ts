/** What was measured in words: in the list, and beside what was drawn. */
import { annotation as annotations } from '@cornerstonejs/tools'

import i18n from 'i18next'
import { frameOf } from '../engine/frames'
import { lieOf, type Plane } from '../engine/planes'
import { scaleAt } from '../engine/spacing'
import { markOf, plainOf, type Annotation, type Drawn, type Measured } from './shapes'

const UNITS: Record<string, string> = { mm2: 'mm²', px2: 'px²', deg: '°', raw: '', ratio: '' }

/** A number with its unit. */
export function figure(value: Measured['values'][number]): string {
  const digits = value.unit === 'ratio' ? 2 : value.unit === 'raw' && Number.isInteger(value.value) ? 0 : Math.abs(value.value) >= 1000 ? 0 : 1
  return `${value.value.toFixed(digits)} ${UNITS[value.unit] ?? value.unit}`.trim()
}

/** What a number is called; "" of one that needs no name. */
export function nameOf(value: Measured['values'][number], alone: boolean): string {
  if (value.name === 'value' && value.unit === 'raw' && !alone) return i18n.t('measuring.value.raw')
  if (alone || value.name === 'value') return ''
  const key = `measuring.value.${value.name}`
  return i18n.exists(key) ? i18n.t(key as 'measuring.value.length') : value.name
}

/** How the size of a pixel was known, where that is worth saying: what is measured in the patient says nothing. */
export function sourceOf(one: Pick<Annotation, 'spacing'>): string {
  const { spacing } = one
  return spacing && spacing !== 'patient' && spacing !== 'none' ? i18n.t(`viewing.spacing.${spacing}`) : ''
}

/** Of a mark on a plane: which plane, and what it shows where it is thick. */
export function planeWords(plane: Pick<Plane, 'slab' | 'blend'> & { row: number[]; column: number[] }): string {
  return [i18n.t(`measuring.plane.${lieOf(plane as Plane)}`), slabWords(plane)].filter(Boolean).join(' · ')
}

function slabWords({ slab, blend }: Pick<Plane, 'slab' | 'blend'>): string {
  return slab && blend ? `${i18n.t(`viewing.blend.${blend}`)} ${slab % 1 ? slab.toFixed(1) : slab} mm` : ''
}

/** The lines beside what is drawn on an image; undefined for what is none of ours. */
export function linesOf(data: unknown): string[] | undefined {
  const drawn = annotations.state.getAllAnnotations().find((one) => one.data === data) as Drawn | undefined
  const plain = drawn && plainOf(drawn)
  // the engine's own numbers on a plane are those of no image
  if (drawn && !plain && markOf(drawn).plane) return []
  if (!drawn || !plain) return undefined
  const values = plain.values ?? []
  const lines = values.map((one) => [nameOf(one, values.length === 1), figure(one)].filter(Boolean).join(' '))
  if (plain.tool === 'ratio') lines.push(...widths(plain, drawn))
  if (plain.tool === 'calibration') lines.unshift(i18n.t('viewing.tool.calibration'))
  const slab = plain.plane ? slabWords(plain.plane as Plane) : ''
  const source = [slab, sourceOf(plain) || (plain.plane ? i18n.t('viewing.spacing.reformatted') : '')].filter(Boolean).join(', ')
  return [plain.label ?? '', ...lines, source && `(${source})`].filter(Boolean)
}

/** Both lines of a ratio, as they were drawn. */
function widths({ points }: Annotation, drawn: Drawn): string[] {
  const frame = frameOf(drawn.metadata.referencedImageId ?? '')
  if (!frame || markOf(drawn).report) return []
  const { row, column, source } = scaleAt(frame.instance.json, frame.frame, points[0]![0], points[0]![1])
  const far = (a: number[], b: number[]) => Math.hypot((b[0]! - a[0]!) * column, (b[1]! - a[1]!) * row).toFixed(1)
  return [`${far(points[0]!, points[1]!)} / ${far(points[2]!, points[3]!)} ${source === 'none' ? 'px' : 'mm'}`]
}
