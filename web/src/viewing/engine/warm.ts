/**
 * Draws an image that nobody sees, once, while a list is looked at: contexts, programs and textures of the graphics
 * processor are made by the first image that is drawn, and this is not the one that somebody waits for.
 */
import { cache, Enums, type Types } from '@cornerstonejs/core'

import { frameOf, register } from './frames'
import { forget, image } from './loader'
import { start } from './start'
import { engine } from './viewport'

const SIDE = 64
/** Two bytes a pixel, as most images have. */
const ATTRIBUTES = { '00280010': SIDE, '00280011': SIDE, '00280002': 1, '00280100': 16, '00280101': 16, '00280102': 15, '00280103': 0 }

/** Rejects where it cannot be drawn; nothing is lost by that. */
export async function warmDrawing(): Promise<void> {
  await start()
  const rendering = engine()
  // somebody was faster
  if (rendering.getViewports().length) return
  const json = {
    ...Object.fromEntries(Object.entries(ATTRIBUTES).map(([tag, value]) => [tag, { vr: 'US', Value: [value] }])),
    '00280004': { vr: 'CS', Value: ['MONOCHROME2'] },
  }
  const [imageId] = register('warm', 'warm', { sop: 'warm', sopClass: '', transferSyntax: '', number: 1, frames: 1, rows: SIDE, columns: SIDE, json })
  const values = Uint16Array.from({ length: SIDE * SIDE }, (_, at) => at)
  cache.putImageLoadObject(imageId!, { promise: Promise.resolve(image(frameOf(imageId!)!, values, 1)) })
  const element = document.createElement('div')
  element.setAttribute('aria-hidden', 'true')
  // as large as an image will be: what is made for it is kept
  Object.assign(element.style, { position: 'fixed', inset: '90px 0 0 240px', visibility: 'hidden', pointerEvents: 'none', zIndex: '-1' })
  document.body.append(element)
  const id = 'warm'
  try {
    const drawn = new Promise((done) => element.addEventListener(Enums.Events.IMAGE_RENDERED, done, { once: true }))
    rendering.enableElement({ viewportId: id, type: Enums.ViewportType.STACK, element, defaultOptions: { background: [0, 0, 0] } })
    const viewport = rendering.getViewport(id) as Types.IStackViewport
    await viewport.setStack([imageId!])
    viewport.render()
    await drawn
  } finally {
    if (rendering.getViewport(id)) rendering.disableElement(id)
    element.remove()
    forget(imageId!)
  }
}
