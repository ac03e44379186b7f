/** Which instance and frame an image id stands for. */
import { root, type Instance } from './series'

export interface Frame {
  id: string
  instance: Instance
  /** From 1. */
  frame: number
  /** Where its pixels are. */
  address: string
}

/** The scheme of image ids, for Cornerstone; loader.ts answers for it. */
export const SCHEME = 'filmless'

const frames = new Map<string, Frame>()

/** Makes the frames of an instance known; returns their image ids. */
export function register(study: string, series: string, instance: Instance): string[] {
  const base = `${root(study, series)}/instances/${instance.sop}/frames/`
  return Array.from({ length: instance.frames }, (_, at) => {
    const id = `${SCHEME}:${base}${at + 1}`
    frames.set(id, { id, instance, frame: at + 1, address: `${base}${at + 1}` })
    return id
  })
}

export function frameOf(imageId: string): Frame | undefined {
  return frames.get(imageId)
}
