/** Figures as people read them, and the sets in which they are shown. */
import type { components } from '../api/schema'
import { count } from '../app/format'
import { language } from '../i18n'

export type Figure = components['schemas']['FigureWords']
export type Kind = components['schemas']['IndicatorWords']['kind']

/** Which figures are looked at together. */
export const SETS = {
  volume: ['exams', 'persons', 'workload', 'fees', 'green-channel'],
  waiting: ['booking-wait', 'hall-wait', 'duration', 'no-show', 'cancelled'],
  images: ['exams', 'images-a', 'images-waste', 'rejected', 'transfer', 'verified', 'unsent', 'identity-failed'],
  contrast: ['exams', 'contrast-reactions', 'extravasations', 'films'],
  reports: ['report-wait', 'report-writing', 'report-review', 'report-total', 'order-to-report', 'timely', 'overdue'],
  quality: ['positive', 'two-persons', 'returned', 'amended', 'addenda', 'inpatients-48h'],
  critical: ['critical-told', 'critical-acknowledged', 'critical-closed', 'green-channel', 'match-time', 'green-open'],
} as const
export type SetName = keyof typeof SETS

/** Seconds as "4 d 3 h", "2 h 05 min", "7 min", "40 s". */
export function duration(seconds: number): string {
  const zh = language() === 'zh'
  const units = zh ? { d: ' 天', h: ' 小时', m: ' 分', s: ' 秒' } : { d: ' d', h: ' h', m: ' min', s: ' s' }
  const minutes = Math.round(seconds / 60)
  if (seconds < 90) return Math.round(seconds) + units.s
  if (minutes < 60) return minutes + units.m
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return `${hours}${units.h} ${String(minutes % 60).padStart(2, '0')}${units.m}`
  return `${Math.floor(hours / 24)}${units.d} ${hours % 24}${units.h}`
}

export function shown(figure: Figure, kind: Kind): string {
  if (figure.value === null) return '–'
  if (kind === 'ratio') return `${(figure.value * 100).toFixed(1)} %`
  if (kind === 'spread') return duration(figure.value)
  return count(Math.round(figure.value * 100) / 100)
}

/** What stands small beside it. */
export function beside(figure: Figure, kind: Kind): string {
  if (figure.value === null) return ''
  if (kind === 'ratio') return `${figure.part}/${figure.of}`
  if (kind === 'spread' && figure.p90 !== null) return `90 %: ${duration(figure.p90)} · n ${figure.of}`
  return ''
}

/** Days from today, as an input of a date takes them. */
export function dayFrom(offset: number, month = 0, first = false): string {
  const now = new Date()
  const at = first || month ? new Date(now.getFullYear(), now.getMonth() + month, first ? 1 : 0) : new Date(now.getFullYear(), now.getMonth(), now.getDate() + offset)
  const two = (number: number) => String(number).padStart(2, '0')
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
}
