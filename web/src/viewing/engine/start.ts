/** Starts Cornerstone once, when the first image is opened. */
import { init as startCore, imageLoadPoolManager, Enums, cache, isCornerstoneInitialized } from '@cornerstonejs/core'
import dicomImageLoader from '@cornerstonejs/dicom-image-loader'
import { init as startTools } from '@cornerstonejs/tools'

import { registerLoader } from './loader'
import { provide } from './modules'

let started: Promise<void> | undefined

/** How this machine draws: by a graphics processor, by software that stands in for it, or without WebGL at all. */
function drawnBy(): 'processor' | 'software' | 'none' {
  try {
    const context = document.createElement('canvas').getContext('webgl2')
    if (!context) return 'none'
    const info = context.getExtension('WEBGL_debug_renderer_info')
    const name = info ? String(context.getParameter(info.UNMASKED_RENDERER_WEBGL)) : ''
    // contexts are few and dear
    context.getExtension('WEBGL_lose_context')?.loseContext()
    return /swiftshader|llvmpipe|software/i.test(name) ? 'software' : 'processor'
  } catch {
    return 'none'
  }
}

/** Bytes of decoded images that are kept: a quarter of the memory that the browser tells of, within bounds. */
function budget(): number {
  const gigabytes = (navigator as { deviceMemory?: number }).deviceMemory ?? 4
  return Math.min(Math.max(gigabytes / 4, 0.5), 3) * 1024 ** 3
}

export function start(): Promise<void> {
  started ??= begin()
  return started
}

async function begin(): Promise<void> {
  if (!isCornerstoneInitialized()) {
    const by = drawnBy()
    await startCore({
      rendering: {
        useCPURendering: by === 'none',
        volumeRendering: { sampleDistanceMultiplier: by === 'processor' ? 1 : 4 },
        // each is made before the first image: seven, as it is else, take their time
        webGlContextCount: by === 'processor' ? 4 : 2,
      },
    } as Parameters<typeof startCore>[0])
  }
  dicomImageLoader.init({
    maxWebWorkers: Math.max(1, Math.min(4, (navigator.hardwareConcurrency || 2) - 1)),
  })
  provide()
  registerLoader()
  startTools()
  cache.setMaxCacheSize(budget())
  // what is on screen has its own connections; the browser has six to one server
  imageLoadPoolManager.setMaxSimultaneousRequests(Enums.RequestType.Interaction, 6)
  imageLoadPoolManager.setMaxSimultaneousRequests(Enums.RequestType.Prefetch, 4)
}
