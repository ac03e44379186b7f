/** How large this screen's pixels are: measured once by the person, kept on this device and for this zoom of the page. */

const KEPT = 'filmless.screen'

interface Measured {
  /** Millimetres of a device pixel. */
  pitch: number
  width: number
  height: number
}

/** Millimetres of a CSS pixel; null where nobody has measured this screen. */
export function mmOfScreen(): number | null {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT) ?? 'null') as Measured | null
    // another screen on the same device is another size
    if (!kept || kept.width !== deviceWidth() || kept.height !== deviceHeight()) return null
    return kept.pitch * devicePixelRatio
  } catch {
    return null
  }
}

export function keepScreen(mm: number): void {
  localStorage.setItem(KEPT, JSON.stringify({ pitch: mm / devicePixelRatio, width: deviceWidth(), height: deviceHeight() } satisfies Measured))
}

// in device pixels: the same whatever the page's zoom is
const deviceWidth = () => Math.round(screen.width * devicePixelRatio)
const deviceHeight = () => Math.round(screen.height * devicePixelRatio)
