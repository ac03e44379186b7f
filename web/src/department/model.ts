/** Words and values of the department that several of its pages need. */
import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { language } from '../i18n'

type Schemas = components['schemas']
export type Exam = Schemas['ExamWords']
export type Listed = Schemas['ListedWords']
export type ExamPage = Schemas['ExamPage']
export type Master = Schemas['Master']
export type Word = Schemas['WordWords']
export type Person = Schemas['PersonWords']
export type Arrival = Schemas['ArrivalWords']
export type Station = Schemas['StationWords']
export type Taken = Schemas['TakenWords']
export type Waiting = Schemas['TicketWords']
export type View = 'all' | 'expected' | 'registered' | 'examined' | 'finished'

export const SIDES = ['L', 'R', 'B'] as const
export const PATIENT_CLASSES = ['O', 'I', 'E', 'P'] as const
export const PRIORITIES = ['routine', 'urgent', 'stat'] as const
export const DOCUMENTS = ['two-identifiers', 'NI', 'PPN', 'HC', 'wristband'] as const
export type Document = (typeof DOCUMENTS)[number]

export const PREGNANCIES = ['no', 'possible', 'yes', 'unknown'] as const

/** Where an exam is between ordered and reported, in the order in which it goes. */
export const MILESTONES = [
  'ordered_at',
  'booked_at',
  'arrived_at',
  'started_at',
  'finished_at',
  'verified_at',
  'reported_at',
  'final_at',
] as const

export type Tone = 'wait' | 'here' | 'now' | 'made' | 'done' | 'held' | 'off'

const TONES: Record<string, Tone> = {
  E00: 'wait',
  E05: 'held',
  E10: 'wait',
  E20: 'wait',
  E30: 'here',
  E40: 'now',
  E50: 'made',
  E60: 'made',
  E70: 'made',
  E75: 'made',
  E80: 'made',
  E90: 'done',
  E92: 'done',
  E97: 'done',
}

export function toneOf(state: string): Tone {
  return TONES[state] ?? 'off'
}

interface Named {
  name_zh: string
  name_en: string
}

/** In the reader's language, else in the other one. */
export function nameOf(one: Named | undefined, otherwise = ''): string {
  if (!one) return otherwise
  return (language() === 'zh' ? one.name_zh || one.name_en : one.name_en || one.name_zh) || otherwise
}

/** 王小东, or SMITH JOHN where there is none in Chinese. */
export function personName(person: { name_ideographic: string; name_alphabetic: string }): string {
  return person.name_ideographic.replaceAll('^', '') || person.name_alphabetic.split('^').filter(Boolean).join(' ')
}

/** [as read first, the other one] of somebody in a list: characters in Chinese, letters in English. */
export function spokenNames(row: { name: string; name_alphabetic: string }): [string, string] {
  const letters = row.name_alphabetic.split('^').filter(Boolean).join(' ')
  const whole = /^[ -\u024f]*$/.test(row.name) ? letters || row.name : row.name.replaceAll('^', '')
  if (!letters || whole === letters) return [whole, '']
  return language() === 'zh' ? [whole, letters] : [letters, whole]
}

export function procedureOf(exam: Pick<Exam, 'procedure_zh' | 'procedure_en' | 'procedure'>): string {
  return nameOf({ name_zh: exam.procedure_zh, name_en: exam.procedure_en }, exam.procedure)
}

/** A day in the reader's place as YYYY-MM-DD. */
export function isoDay(at: Date): string {
  const two = (number: number) => String(number).padStart(2, '0')
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
}

export function today(): string {
  return isoDay(new Date())
}

export function dayAfter(day: string, days: number): string {
  const at = new Date(`${day}T12:00:00`)
  at.setDate(at.getDate() + days)
  return isoDay(at)
}

/** Years, or months below two years, of a birth date YYYYMMDD. */
export function ageOf(birth: string): string {
  if (!/^\d{4}/.test(birth)) return ''
  const now = new Date()
  const years = Number(birth.slice(0, 4))
  const months = (now.getFullYear() - years) * 12 + now.getMonth() + 1 - Number(birth.slice(4, 6) || 1)
  const whole = Math.floor((months - (Number(birth.slice(6, 8)) > now.getDate() ? 1 : 0)) / 12)
  if (months < 24) return language() === 'zh' ? `${Math.max(months, 0)}个月` : `${Math.max(months, 0)} m`
  return language() === 'zh' ? `${whole}岁` : `${whole} y`
}

export function useMaster() {
  return useQuery({ queryKey: ['master'], queryFn: () => data(api.GET('/master')), staleTime: 60_000 })
}

export function wordsOfKind(master: Master | undefined, kind: string): Word[] {
  return (master?.words ?? []).filter((one) => one.kind === kind && one.active)
}

type Wish = Schemas['ExamWish']
const ANY: Wish = { view: 'all', text: '', number: '', states: [], modalities: [], stations: [], classes: [], limit: 200 }

export function findExams(wish: Partial<Wish>) {
  return data(api.POST('/exams/search', { body: { ...ANY, ...wish } }))
}

/** The one exam that has this number, or had it before; none where several have. */
export async function examByNumber(number: string): Promise<Listed | undefined> {
  const { exams } = await findExams({ number: number.trim(), limit: 2 })
  return exams.length === 1 ? exams[0] : undefined
}

/** Places of a kind that are in use, to be chosen from. */
export function placeOptions(master: Master | undefined, kind: string) {
  return (master?.places ?? []).filter((one) => one.kind === kind && one.active).map((one) => ({ value: one.code, label: nameOf(one, one.code) }))
}

/** What people call a place: its name for its code; the code where nobody has named it. */
export function usePlaceNames() {
  const master = useMaster()
  return useMemo(() => {
    const names = new Map((master.data?.places ?? []).map((one) => [`${one.kind}/${one.code}`, nameOf(one, one.code)]))
    return (kind: 'site' | 'department' | 'ward' | 'room', code: string) => names.get(`${kind}/${code}`) ?? code
    // the names are in the reader's language
  }, [master.data, language()])
}

/** What people are called, for the names of their accounts. */
export function usePeople() {
  const master = useMaster()
  return useMemo(() => {
    const names = new Map((master.data?.people ?? []).map((one) => [one.account, nameOf(one, one.account)]))
    // what happens by itself is done by the program
    return (account: string) => names.get(account) ?? (account === 'filmless' ? 'Filmless' : account)
  }, [master.data, language()])
}

/** Procedures that fit what is typed, in either language or by code. */
export function procedureOptions(master: Master | undefined) {
  const found = wordsOfKind(master, 'procedure')
  const groups = [...new Set(found.map((one) => String(one.more.modality ?? '')))]
  return groups.map((group) => ({
    group,
    items: found
      .filter((one) => one.more.modality === group)
      .map((one) => ({ value: one.code, label: nameOf(one, one.code) })),
  }))
}

export function stationOptions(stations: { code: string; name_zh: string; name_en: string; modality: string; active: boolean }[], modality?: string) {
  return stations
    .filter((one) => one.active && (!modality || one.modality === modality))
    .map((one) => ({ value: one.code, label: nameOf(one) && nameOf(one) !== one.code ? `${one.code} · ${nameOf(one)}` : one.code }))
}
