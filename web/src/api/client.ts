/** The server's API, typed by the description that the server gives of itself (npm run api). */
import createClient, { type Middleware } from 'openapi-fetch'

import { problemOf, Problem } from './problem'
import type { paths } from './schema'
import { proof, sessionEnded } from './session'

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Milliseconds without a touch after which what is asked is asked by the page itself: that keeps no session open. */
const UNTOUCHED = 60_000
let touched = Date.now()
for (const kind of ['pointermove', 'pointerdown', 'wheel', 'keydown', 'touchstart']) {
  globalThis.addEventListener?.(kind, () => (touched = Date.now()), { capture: true, passive: true })
}

const middleware: Middleware = {
  onRequest({ request }) {
    if (Date.now() - touched > UNTOUCHED) request.headers.set('X-Filmless-Idle', '1')
    if (!SAFE.has(request.method)) {
      for (const [name, value] of Object.entries(proof())) request.headers.set(name, value)
    }
    return request
  },
  async onResponse({ response, request }) {
    if (response.ok) return response
    const problem = await problemOf(response)
    // wrong words at the door are no end of a session
    if (response.status === 401 && !new URL(request.url).pathname.endsWith('/api/session')) sessionEnded()
    throw problem
  },
  onError() {
    return new Problem(0, 'offline', '')
  },
}

export const api = createClient<paths>({ baseUrl: '/api', credentials: 'same-origin' })
api.use(middleware)

/** The data of an answer; errors have been thrown by then. */
export async function data<T>(answer: Promise<{ data?: T }>): Promise<T> {
  return (await answer).data as T
}
