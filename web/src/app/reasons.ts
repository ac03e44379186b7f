/** Why something went wrong, in the reader's language: the server keeps it as an English sentence (i18n/reasons.zh.ts). */
import { language } from '../i18n'
import { lenient } from '../i18n/lenient.zh'
import { foreign, reasons } from '../i18n/reasons.zh'

interface Form {
  pattern: RegExp
  holes: string[]
  chinese: string
}

const sentences = { ...reasons, ...lenient }
/** The sentences with holes, those with the most words of their own first. */
const forms: Form[] = Object.entries(sentences)
  .filter(([english]) => english.includes('{'))
  .map(([english, chinese]) => ({ english, chinese, own: english.replace(/\{\w+\}/g, '').length }))
  .sort((a, b) => b.own - a.own)
  .map(({ english, chinese }) => {
    const holes: string[] = []
    const parts = english.split(/\{(\w+)\}/).map((part, at) => {
      if (at % 2 === 0) return part.replace(/[.*+?^$()|[\]\\]/g, '\\$&')
      holes.push(part)
      return '(.+?)'
    })
    return { pattern: new RegExp(`^${parts.join('')}$`, 's'), holes, chinese }
  })
const seen = new Map<string, string | null>()

/** The sentence in Chinese; null where it is none that we know. */
function translated(sentence: string): string | null {
  let found = seen.get(sentence)
  if (found === undefined) {
    found = of(sentences, sentence) ?? of(foreign, sentence.toLowerCase()) ?? filled(sentence)
    if (seen.size > 2000) seen.clear()
    seen.set(sentence, found)
  }
  return found
}

function of(table: Record<string, string>, sentence: string): string | undefined {
  return Object.hasOwn(table, sentence) ? table[sentence] : undefined
}

function filled(sentence: string): string | null {
  for (const form of forms) {
    const parts = form.pattern.exec(sentence)
    if (!parts) continue
    const values: Record<string, string> = {}
    const known = form.holes.every((hole, at) => {
      const said = parts[at + 1] ?? ''
      const words = hole === 'why' || hole === 'known' ? translated(said) : null
      values[hole] = words?.replace(/。$/, '') ?? said
      return hole !== 'known' || words !== null
    })
    if (known) return form.chinese.replace(/\{(\w+)\}/g, (_, hole: string) => values[hole] ?? '')
  }
  return null
}

/** What the server says in a person's name, where else stands what the person typed. */
const OURS = /^(Made in the green channel as .+\.|#\d+ undone)$/

/** A reason that a person gave: to the letter, though a sentence of ours may be the same. */
export function asTyped(reason: string): string {
  return OURS.test(reason) ? asSaid(reason) : reason
}

/** What may also be a person's words: in English to the letter. */
export function asSaid(reason: string): string {
  return language() === 'zh' ? why(reason) : reason
}

export function why(reason: string): string {
  if (language() === 'zh') return translated(reason) ?? reason
  return reason.charAt(0).toUpperCase() + reason.slice(1)
}
