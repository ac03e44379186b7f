/** The window of a frame; there always is one. */
import { group } from './modules'
import type { Frame } from './frames'
import { decoded, items, numbers, text, type DicomJson } from './series'

export interface VoiWindow {
  center: number
  width: number
  function: 'LINEAR' | 'LINEAR_EXACT' | 'SIGMOID'
  name: string
}

const SEGMENTATIONS = ['1.2.840.10008.5.1.4.1.1.66.4', '1.2.840.10008.5.1.4.1.1.66.7']

/** Lowest and highest value of the first image of a series that is not all one grey: its window where none is sent. */
const measured = new Map<string, [number, number]>()

export function measure(frame: Frame, low: number, high: number): void {
  const series = text(frame.instance.json, '0020000E')
  if (high > low && !measured.has(series)) measured.set(series, [low, high])
}

/** All windows that the object names, the first is the one to begin with (PS3.3 C.11.2.1.2). */
export function namedWindows(frame: Frame): VoiWindow[] {
  const from = group(frame, '00289132')
  const centers = numbers(from, '00281050')
  const widths = numbers(from, '00281051')
  const said = text(from, '00281056')
  const how = said === 'SIGMOID' || said === 'LINEAR_EXACT' ? said : 'LINEAR'
  return centers.flatMap((center, at) => {
    const width = widths[at]
    const least = how === 'LINEAR' ? 1 : 0
    if (!Number.isFinite(center) || width === undefined || !(width >= least) || width === 0) return []
    return [{ center, width, function: how, name: text(from, '00281055', at) }]
  })
}

/** The window to begin with. */
export function windowsOf(frame: Frame): VoiWindow {
  const table = items(group(frame, '00289132'), '00283010')[0]
  const byTable = table && windowOfTable(table)
  if (byTable) return byTable
  const named = namedWindows(frame)[0]
  if (named) return named
  const [low, high] = kindRange(frame.instance.json) ?? measured.get(text(frame.instance.json, '0020000E')) ?? [0, 255]
  return spanning(low, high)
}

/** Of segmentations the range of their kind, so that frames compare (PS3.3 C.8.20). */
function kindRange(json: DicomJson): [number, number] | null {
  if (numbers(json, '00280100')[0] === 1 || numbers(json, '00280101')[0] === 1) return [0, 1]
  const fractional = SEGMENTATIONS.includes(text(json, '00080016')) && text(json, '00620001') === 'FRACTIONAL'
  return fractional ? [0, numbers(json, '0062000E')[0] || 255] : null
}

export function spanning(low: number, high: number): VoiWindow {
  return { center: (low + high) / 2 + 0.5, width: high - low + 1, function: 'LINEAR', name: '' }
}

/** The window that comes nearest to a look-up table: from where it leaves black to where it reaches white. */
function windowOfTable(table: DicomJson): VoiWindow | null {
  const [count = 0, first = 0, bits = 0] = numbers(table, '00283002')
  const entries = decoded(table['00283006'], bits > 8)
  const size = Math.min(count || 65536, entries.length)
  if (size < 2) return null
  let least = Infinity
  let most = -Infinity
  for (let at = 0; at < size; at += 1) {
    least = Math.min(least, entries[at]!)
    most = Math.max(most, entries[at]!)
  }
  if (!(most > least)) return null
  const reach = (part: number) => {
    const wanted = least + part * (most - least)
    for (let at = 0; at < size; at += 1) if (entries[at]! >= wanted) return first + at
    return first + size
  }
  const [low, high] = [reach(0.02), reach(0.98)]
  return high > low ? spanning(low, high) : null
}
