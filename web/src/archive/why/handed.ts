/** What somebody looked for, handed from one page to the next: in no address and in no storage of the browser. */
export interface Handed {
  number: string
  account: string
}

let waiting: Handed | null = null

export function handOn(what: Handed): void {
  waiting = what
}

/** Once. */
export function takeHanded(): Handed | null {
  const what = waiting
  waiting = null
  return what
}
