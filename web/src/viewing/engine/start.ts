/** Starts Cornerstone once, when the first image is opened. */
import { init as startCore, imageLoadPoolManager, Enums, cache, isCornerstoneInitialized } from '@cornerstonejs/core'
import dicomImageLoader from '@cornerstonejs/dicom-image-loader'
import { init as startTools } from '@cornerstonejs/tools'

import { registerLoader } from './loader'
import { provide } from './modules'

let started: Promise<void> | undefined

/** Whether this machine draws with its graphics processor; without one, stacks are drawn by the CPU. */
export function hasWebGl(): boolean {
  try {
    return document.createElement('canvas').getContext('webgl2') !== null
  } catch {
    return false
  }
}

/** Whether drawing is done by a graphics processor, not by software that stands in for it. */
function hasGpu(): boolean {
  const context = document.createElement('canvas').getContext('webgl2')
  const info = context?.getExtension('WEBGL_debug_renderer_info')
  const name = info ? String(context!.getParameter(info.UNMASKED_RENDERER_WEBGL)) : ''
  return !/swiftshader|llvmpipe|software/i.test(name)
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
    await startCore({
      rendering: { useCPURendering: !hasWebGl(), volumeRendering: { sampleDistanceMultiplier: hasGpu() ? 1 : 4 } },
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
