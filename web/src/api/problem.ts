/** What the server says went wrong (RFC 9457), as an error that screens can show. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    /** Our short stable word, such as "not-permitted"; "offline" where nobody answered. */
    readonly code: string,
    message: string,
    readonly body: Record<string, unknown> = {},
  ) {
    super(message)
  }
}

export async function problemOf(response: Response): Promise<Problem> {
  let body: Record<string, unknown> = {}
  try {
    body = (await response.json()) as Record<string, unknown>
  } catch {
    // a proxy's page, or nothing
  }
  const words = body.detail ?? body.title ?? response.statusText
  return new Problem(response.status, String(body.code ?? ''), String(words), body)
}
