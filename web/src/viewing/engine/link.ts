/** How quick the way to the server is: on a slow one pixels are asked for in fewer bytes. */

/** Below it frames are worth to be compressed for their way; bytes a second. */
const SLOW = 1_500_000
/** Smaller answers tell of delays, not of how much goes through. */
const TELLING = 8192

let rate = Infinity

/** What of an answer went through in what time; milliseconds. */
export function tell(bytes: number, time: number): void {
  if (bytes < TELLING || !(time > 0)) return
  const now = (bytes / time) * 1000
  rate = Number.isFinite(rate) ? 0.7 * rate + 0.3 * now : now
}

interface Connection {
  saveData?: boolean
  effectiveType?: string
}

export function isSlow(): boolean {
  const said = (navigator as { connection?: Connection }).connection
  return rate < SLOW || Boolean(said?.saveData) || ['slow-2g', '2g', '3g'].includes(said?.effectiveType ?? '')
}
