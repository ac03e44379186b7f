/** What the screens of reporting share. */
import type { components } from '../api/schema'
import { language } from '../i18n'

type Schemas = components['schemas']
export type Item = Schemas['ReadingItem']
export type Report = Schemas['ReportWords']
export type Content = Required<Schemas['ReportContent']>
export type Values = Content['fields']
export type Exam = Schemas['ReportExam']
export type Queue = Schemas['ReadingSearch']['queue']

export const SECTIONS = ['technique', 'comparison', 'findings', 'impression', 'advice'] as const
export type SectionName = (typeof SECTIONS)[number]

/** The one of two that the language of the screen has; the other one where it has none. */
export function either(zh: string, en: string): string {
  return language() === 'zh' ? zh || en : en || zh
}

export function procedure(exam: { procedure_zh: string; procedure_en: string }): string {
  return either(exam.procedure_zh, exam.procedure_en)
}

/** [as read first, the other one]. */
export function personNames(person: Schemas['ReportPerson']): [string, string] {
  const letters = person.name_alphabetic.split('^').filter(Boolean).join(' ')
  if (person.name === person.name_alphabetic || !letters) return [person.name.split('^').filter(Boolean).join(' '), '']
  return language() === 'zh' ? [person.name, letters] : [letters, person.name]
}

/** Name of an account, as the department writes it. */
export function nameOf(people: Report['people'], account: string): string {
  const found = people.find((one) => one.account === account)
  return found ? either(found.name_zh, found.name_en) || account : account
}

export const EMPTY: Content = { findings: '', impression: '', advice: '', technique: '', comparison: '', result: '', fields: {}, links: [], images: [] }

/** Minutes until a moment; negative when it is over. */
export function minutesTo(moment: string | null | undefined, now: number): number | null {
  if (!moment) return null
  return Math.round((new Date(moment).valueOf() - now) / 60_000)
}
