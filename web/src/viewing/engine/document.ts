/** Structured reports and key object selections as they are read (PS3.3 C.17.3, C.17.6): text, and links to images. */
import { items, numbers, text, type DicomJson } from './series'

/** An image that a document refers to. */
export interface Reference {
  sop: string
  /** From 1. */
  frame: number
}

/** A content item. `heading`: it has no value and holds others. */
export interface Item {
  heading: boolean
  name: string
  value: string
  image: Reference | null
  children: Item[]
}

/** One nested deeper is cut. */
const DEEPEST = 40

const meaning = (json: DicomJson, tag: string): string => {
  const code = items(json, tag)[0]
  return code ? text(code, '00080104') || text(code, '00080100') : ''
}

const TEXTS: Record<string, string> = { TEXT: '0040A160', DATETIME: '0040A120', DATE: '0040A121', TIME: '0040A122', PNAME: '0040A123', UIDREF: '0040A124' }

function date(value: string): string {
  const found = /^(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2}))?/.exec(value)
  if (!found) return value
  return `${found[1]}-${found[2]}-${found[3]}${found[4] ? ` ${found[4]}:${found[5]}` : ''}`
}

function valueOf(json: DicomJson, kind: string): string {
  if (kind === 'CODE') return meaning(json, '0040A168')
  if (kind === 'NUM') {
    const measured = items(json, '0040A300')[0]
    if (!measured) return ''
    const unit = items(measured, '004008EA')[0]
    const symbol = unit ? text(unit, '00080100') : ''
    return [numbers(measured, '0040A30A').join(' '), symbol === '1' ? '' : symbol === '{ratio}' ? '' : symbol].filter(Boolean).join(' ')
  }
  const found = TEXTS[kind] ? text(json, TEXTS[kind]) : ''
  if (kind === 'PNAME') return found.replaceAll('^', ' ').trim()
  if (kind === 'DATE' || kind === 'DATETIME') return date(found)
  return kind === 'TIME' ? found.replace(/^(\d{2})(\d{2}).*/, '$1:$2') : found
}

function imageOf(json: DicomJson, kind: string): Reference | null {
  if (kind !== 'IMAGE' && kind !== 'COMPOSITE') return null
  const said = items(json, '00081199')[0]
  return said ? { sop: text(said, '00081155'), frame: numbers(said, '00081160')[0] ?? 1 } : null
}

/** The content of a document, the root first. */
export function contentOf(json: DicomJson, depth = 0): Item {
  const kind = text(json, '0040A040')
  const children = depth < DEEPEST ? items(json, '0040A730').map((one) => contentOf(one, depth + 1)) : []
  const own = imageOf(json, kind)
  // coordinates are of the image that they were selected from
  const below = kind === 'SCOORD' ? (children.find((one) => one.image)?.image ?? null) : null
  return {
    heading: kind === 'CONTAINER' || kind === '',
    name: meaning(json, '0040A043'),
    value: valueOf(json, kind),
    image: own ?? below,
    children: below ? children.filter((one) => !one.image) : children,
  }
}

/** All images that a document refers to, in its order, each once. */
export function imagesIn(item: Item): Reference[] {
  const found = new Map<string, Reference>()
  const walk = (one: Item) => {
    if (one.image) found.set(`${one.image.sop} ${one.image.frame}`, found.get(`${one.image.sop} ${one.image.frame}`) ?? one.image)
    one.children.forEach(walk)
  }
  walk(item)
  return [...found.values()]
}

/** Series Instance UIDs of what a document refers to (PS3.3 C.17.2.1). */
export function seriesIn(json: DicomJson): string[] {
  const studies = [...items(json, '0040A375'), ...items(json, '0040A385')]
  return [...new Set(studies.flatMap((one) => items(one, '00081115').map((series) => text(series, '0020000E'))))]
}

/** Whether and by whom a report was verified. */
export function standing(json: DicomJson): { complete: boolean; verified: boolean; observer: string; at: string } {
  const observer = items(json, '0040A073')[0]
  return {
    complete: text(json, '0040A491') === 'COMPLETE',
    verified: text(json, '0040A493') === 'VERIFIED',
    observer: observer ? text(observer, '0040A075').replaceAll('^', ' ').trim() : '',
    at: observer ? date(text(observer, '0040A030')) : '',
  }
}
