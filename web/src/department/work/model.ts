/** What the technologist's pages share. */
import type { components } from '../../api/schema'

type Schemas = components['schemas']
export type Row = Schemas['WorkRow']
export type Page = Schemas['WorkPage']
export type Shift = Schemas['ShiftWords']
export type Task = Schemas['TaskWords']
export type Progress = Schemas['ProgressWords']

export const VIEWS = ['now', 'images', 'done', 'all'] as const
export type View = (typeof VIEWS)[number]

export const KINDS = [
  'unmatched-images',
  'unscheduled',
  'wrong-worklist-entry',
  'moved-images',
  'register-missed',
  'identity-unchecked',
  'safety',
  'images-missing',
  'repeat',
  'late-images',
  'images-rejected',
  'report-overdue',
  'report-group',
  'recall',
  'unmatched-green',
  'critical-overdue',
] as const
export type Kind = (typeof KINDS)[number]

/** A kind that we have words for; a newer server may have others. */
export function kindOf(kind: string): Kind | undefined {
  return KINDS.find((one) => one === kind)
}

const IN_VIEW: Record<View, (state: string) => boolean> = {
  now: (state) => state === 'E20' || state === 'E30' || state === 'E40' || state === 'X30',
  images: (state) => state === 'E50',
  done: (state) => state >= 'E60' && state < 'F',
  all: () => true,
}

export function inView(row: Row, view: View): boolean {
  return IN_VIEW[view](row.listed.exam.state)
}

/** A name without the signs that part its components: the characters run together, letters spaced. */
export function plainName(name: string): string {
  return name.replace(/\^+/g, /^[ -\u024f]*$/.test(name) ? ' ' : '').trim()
}

/** Whether an exam is meant by what was typed or scanned. */
export function isMeant(row: Row, text: string): boolean {
  const wanted = text.toLowerCase().replace(/\s/g, '')
  const { exam, name, name_alphabetic, patient_id } = row.listed
  const letters = name_alphabetic.toLowerCase().replace(/[\^\s]/g, '')
  return [exam.number.toLowerCase(), patient_id.toLowerCase(), letters, name.replace(/[\^\s]/g, '')].some((value) => value.includes(wanted))
}

/** Of what the page shows as the time of an exam: since when it is as it is. */
export function sinceOf({ listed: { exam } }: Row): string | null {
  switch (exam.state) {
    case 'E20':
      return exam.starts_at
    case 'E30':
      return exam.arrived_at
    case 'E40':
    case 'X30':
      return exam.started_at
    case 'E50':
      return exam.finished_at
    default:
      return exam.verified_at ?? exam.finished_at
  }
}
