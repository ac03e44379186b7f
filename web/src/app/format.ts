/** Values of DICOM as people read them. */
import { language } from '../i18n'

/** YYYYMMDD, or as much of it as is known. */
export function day(value: string): string {
  if (!/^\d{4,8}$/.test(value)) return value
  return [value.slice(0, 4), value.slice(4, 6), value.slice(6, 8)].filter(Boolean).join('-')
}

/** HHMMSS... to the minute. */
export function clock(value: string): string {
  return /^\d{4}/.test(value) ? `${value.slice(0, 2)}:${value.slice(2, 4)}` : value
}

/** An ISO moment in the place of the reader, to the minute. */
export function moment(value: string | null | undefined): string {
  if (!value) return ''
  const at = new Date(value)
  if (Number.isNaN(at.valueOf())) return value
  const two = (number: number) => String(number).padStart(2, '0')
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`
}

/** One group of a name: "WANG^XIAO MING" is written WANG Xiao Ming only by people; here its parts, spaced. */
function group(value: string): string {
  const [family = '', given = '', middle = '', prefix = '', suffix = ''] = value.split('^')
  return [prefix, family, given, middle, suffix].filter(Boolean).join(' ').trim()
}

export interface Name {
  name: string
  name_ideographic?: string
}

/** [first, second]: in Chinese the characters first, in English the letters; second is "" where there is only one. */
export function names(patient: Name): [string, string] {
  const [letters = '', characters = ''] = patient.name.split('=')
  const western = group(letters)
  const eastern = (patient.name_ideographic || characters).split('^').join('').trim()
  if (!eastern) return [western, '']
  if (!western) return [eastern, '']
  return language() === 'zh' ? [eastern, western] : [western, eastern]
}

/** "045Y" as "45 y" / "45岁". */
export function age(value: string): string {
  const found = /^0*(\d+)([DWMY])$/.exec(value)
  if (!found) return value
  const units = language() === 'zh' ? { D: '天', W: '周', M: '月', Y: '岁' } : { D: ' d', W: ' w', M: ' m', Y: ' y' }
  return found[1] + units[found[2] as keyof typeof units]
}

/** As the object says it, else from the day of birth to the day of the exam, both YYYYMMDD. */
export function ageAt(said: string, born: string, on: string): string {
  if (said || !/^\d{8}$/.test(born) || !/^\d{8}$/.test(on) || on < born) return age(said)
  const date = (text: string) => Date.UTC(+text.slice(0, 4), +text.slice(4, 6) - 1, +text.slice(6))
  const part = (text: string) => [+text.slice(0, 4), +text.slice(4, 6), +text.slice(6)] as const
  const [[y, m, d], [toY, toM, toD]] = [part(born), part(on)]
  const months = (toY - y) * 12 + toM - m - (toD < d ? 1 : 0)
  const days = Math.round((date(on) - date(born)) / 86_400_000)
  return age(months >= 24 ? `${Math.floor(months / 12)}Y` : months >= 1 ? `${months}M` : `${days}D`)
}

const DOCUMENTS = ['SR', 'KO', 'PR', 'DOC', 'SEG', 'REG', 'PLAN', 'RTSTRUCT', 'RTPLAN', 'RTRECORD', 'OT', 'AU', 'FID', 'RWV']

/** Of a study: by what it was made; what was written about it only where there is nothing else. */
export function madeBy(modalities: string[]): string {
  const images = modalities.filter((one) => !DOCUMENTS.includes(one))
  return (images.length ? images : modalities).join(' ')
}

/** What parts the words of a list. */
export function listComma(): string {
  return language() === 'zh' ? '、' : ', '
}

/** Between a name and its value in running text. */
export function colon(): string {
  return language() === 'zh' ? '：' : ': '
}

/** Bytes, in the unit that gives three digits. */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let at = 0
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000
    at += 1
  }
  return `${value >= 100 || at === 0 ? Math.round(value) : value.toFixed(1)} ${units[at]}`
}

export function count(value: number): string {
  return value.toLocaleString(language() === 'zh' ? 'zh-CN' : 'en-GB')
}

/** An ISO moment's time of day where the reader is. */
export function clockOf(value: string): string {
  return moment(value).slice(11)
}

/** (0010,0040) in a word of the reader's language; what is none of the standard's stays as it is. */
export function sex(value: string): string {
  const words: Record<string, string> = language() === 'zh' ? { M: '男', F: '女', O: '其他' } : {}
  return words[value] ?? value
}
