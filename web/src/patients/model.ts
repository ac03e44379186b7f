/** Words and values that the pages of persons share. */
import type { TFunction } from 'i18next'

import type { components } from '../api/schema'
import { day } from '../app/format'
import { ageOf, spokenNames } from '../department/model'

type Schemas = components['schemas']
export type Person = Schemas['PersonWords']
export type PersonPage = Schemas['PersonPage']
export type Identifier = Schemas['IdentifierWords']
export type Entry = Schemas['IdentityJournalWords']
export type Exam = Schemas['ExamWords']
export type GreenExam = Schemas['UnmatchedGreenWords']
export type InTray = Schemas['UnmatchedWords']
export type StudyPage = Schemas['UnmatchedStudyPage']
export type Candidate = Schemas['CandidateWords']

export const KINDS = ['MR', 'VN', 'AN', 'NI', 'PPN', 'HC', 'TMP', 'EXT'] as const
export const CHECKED = ['name', 'birth-date', 'document', 'patient-id', 'phone', 'relative', 'wristband', 'photograph'] as const
export const REASONS = ['number', 'patient-id', 'name', 'sounds', 'birth-date', 'sex', 'modality', 'device', 'time', 'no-images'] as const

/** Both spellings of a name, the one that is read here first. */
export function bothNames(person: Pick<Person, 'name' | 'name_alphabetic'>): string {
  return spokenNames(person).filter(Boolean).join(' ')
}

/** WANG XIAODONG of "WANG^XIAODONG". */
export function spaced(group: string): string {
  return group.replaceAll('^', ' ').trim()
}

/** 1970-01-01 (56 y), or as much of it as is known. */
export function born(person: Pick<Person, 'birth_date'>): string {
  return person.birth_date ? `${day(person.birth_date)} (${ageOf(person.birth_date)})` : ''
}

/** [days, hours, minutes] since a moment. */
export function since(moment: string, now: number): [number, number, number] {
  const minutes = Math.max(0, Math.floor((now - new Date(moment).valueOf()) / 60_000))
  return [Math.floor(minutes / 1440), Math.floor((minutes % 1440) / 60), minutes % 60]
}

/** AE titles of devices; files that were read in are no device. */
export function sourcesOf(t: TFunction, sources: string[]): string {
  return sources.map((one) => (one === 'import' ? t('stewards.sources.import') : one)).join(', ')
}

/** The groups of a DICOM name: [letters, characters]. */
export function groupsOf(name: string): [string, string] {
  const [letters = '', characters = ''] = name.split('=')
  return [spaced(letters), characters.replaceAll('^', '')]
}

/** For comparing: without case, spaces and what parts components. */
export function plain(text: string): string {
  return text.toLowerCase().replace(/[\s^=]/g, '')
}
