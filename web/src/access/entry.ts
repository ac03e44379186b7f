/** An entry of the audit trail in the reader's language: what happened, why, and what is told besides. */
import type { TFunction } from 'i18next'

import type { components } from '../api/schema'
import { colon, listComma, moment } from '../app/format'
import { asSaid, asTyped } from '../app/reasons'
import { i18next } from '../i18n'

type Entry = components['schemas']['AuditEntry']

/** The words of the first key that there is. */
function first(t: TFunction, ...keys: string[]): string | null {
  const found = keys.find((key) => i18next.exists(key))
  return found === undefined ? null : (t as (key: string) => string)(found)
}

/** Which way or part: a word of the trail's own, of an exam's history, or of a step of an exam. */
export function whatOf(of: Entry, t: TFunction): string {
  const { what } = of
  if (!what) return ''
  const critical = /^critical (\w+)$/.exec(what)
  const keys = [`audit.whats.${what}`, `department.notes.${critical ? `critical result ${critical[1]}` : what}`]
  const step = of.detail['transition']
  if (typeof step === 'string') keys.push(`department.transitions.${step}`)
  if (what.startsWith('identity: ')) keys.push(what.endsWith(' undone') ? 'audit.whats.identityUndone' : 'audit.whats.identity')
  return first(t, ...keys) ?? what
}

/** Why: as it was said, else what became of objects that were not taken. */
export function reasonOf(of: Entry, t: TFunction): string {
  // what came about has the reason that a person gave, also where a command failed (its error is a detail);
  // what was refused, and alerts, have ours
  const given = of.who_kind === 'user' && of.kind !== 'alert' && (of.outcome === 'success' || 'error' in of.detail)
  return (given ? asTyped(of.reason) : asSaid(of.reason)) || (of.outcome === 'success' ? '' : said('became', of.detail['became'], t))
}

/** [name, value] of what is told besides. */
export function detailsOf(of: Entry, t: TFunction): [string, string][] {
  return (
    Object.entries(of.detail)
      // the state in English: it stands there by its code
      .filter(([name]) => name !== 'words' || !('state' in of.detail))
      .map(([name, value]) => [first(t, `audit.details.${name}`) ?? name, said(name, value, t)])
  )
}

function said(name: string, value: unknown, t: TFunction): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'boolean') return t(value ? 'app.yes' : 'app.no')
  if (Array.isArray(value)) return value.map((one) => said(name, one, t)).filter(Boolean).join(listComma())
  if (typeof value === 'object') {
    return Object.entries(value)
      .map(([key, one]) => [first(t, `audit.${name}.${key}`, `audit.details.${key}`) ?? key, said(key, one, t)].filter(Boolean).join(colon()))
      .join('\n')
  }
  const text = String(value)
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(text)) return moment(text)
  return first(t, `department.states.${text}`, `department.transitions.${text}`) ?? text
}
