/** What a tool asks when something is drawn: the words of an arrow, how long a known length is. */
import { asked } from '../engine/tools'
import { linesOf } from './words'

export type Question = { kind: 'words'; said: string; answer: (words: string) => void } | { kind: 'known'; answer: (mm: number | null) => void }

let question: Question | null = null
const listeners = new Set<() => void>()

function put(next: Question | null): void {
  question = next
  for (const listener of listeners) listener()
}

export const asking = {
  subscribe(listener: () => void) {
    listeners.add(listener)
    return () => void listeners.delete(listener)
  },
  get: () => question,
  /** Asks; what was asked before has no answer then. */
  ask(next: Question): void {
    asking.leave()
    put(next)
  },
  answer(value: string | number): void {
    const now = question
    put(null)
    if (now?.kind === 'words') now.answer(String(value).trim())
    if (now?.kind === 'known') now.answer(Number(value) > 0 ? Number(value) : null)
  },
  leave(): void {
    const now = question
    put(null)
    if (now?.kind === 'words') now.answer(now.said)
    if (now?.kind === 'known') now.answer(null)
  },
}

asked.lines = linesOf
asked.words = (said, answer) => asking.ask({ kind: 'words', said, answer })
