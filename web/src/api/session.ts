/** Who is signed in, for code that is no component: the CSRF token, and what to do when the session is over. */

let csrf = ''
let ended: () => void = () => {}

export function rememberCsrf(token: string): void {
  csrf = token
}

/** Headers that a request with the session's cookie needs to change anything. */
export function proof(): Record<string, string> {
  return csrf ? { 'X-Filmless-CSRF': csrf } : {}
}

export function onSessionEnd(act: () => void): void {
  ended = act
}

export function sessionEnded(): void {
  ended()
}
