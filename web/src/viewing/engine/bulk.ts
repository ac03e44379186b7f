/** Values of an object that are too long for its metadata (PS3.18 8.4.5). */
import { sessionEnded } from '../../api/session'
import type { Element } from './series'

/** A request of this session. Rejects with what the server answers, where that is an error. */
export async function fetched(address: string, accept: string, signal: AbortSignal): Promise<Response> {
  const response = await fetch(address, { headers: { Accept: accept }, credentials: 'same-origin', signal })
  if (response.status === 401) sessionEnded()
  if (!response.ok) throw new Error(`${response.status} for ${address}`)
  return response
}

/** Fetches the bytes of those elements that only refer to them. */
export async function fill(elements: (Element | undefined)[], signal: AbortSignal): Promise<void> {
  await Promise.all(
    elements.map(async (element) => {
      if (!element?.BulkDataURI || element.bytes) return
      const { pathname, search } = new URL(element.BulkDataURI, location.origin)
      const response = await fetched(pathname + search, 'application/octet-stream; transfer-syntax=*', signal)
      element.bytes = new Uint8Array(await response.arrayBuffer())
    }),
  )
}
