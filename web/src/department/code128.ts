/** Code 128, set B (ISO/IEC 15417): widths of bars and spaces, in modules, beginning with a bar. */

/** Symbols 0 to 105; the stop symbol has a bar more. */
const WIDTHS = (
  '212222222122222221121223121322131222122213122312132212221213221312231212112232122132122231113222123122123221' +
  '223211221132221231213212223112312131311222321122321221312212322112322211212123212321232121111323131123131321' +
  '112313132113132311211313231113231311112133112331132131113123113321133121313121211331231131213113213311213131' +
  '311123311321331121312113312311332111314111221411431111111224111422121124121421141122141221112214112412122114' +
  '122411142112142211241211221114413111241112134111111242121142121241114212124112124211411212421112421211212141' +
  '214121412121111143111341131141114113114311411113411311113141114131311141411131211412211214211232'
).match(/.{6}/g)!
const STOP = '2331112'
const START_B = 104

/** Raises RangeError for what set B does not have: it is ASCII from space to DEL. */
export function code128(text: string): number[] {
  const values = [...text].map((letter) => letter.charCodeAt(0) - 32)
  if (values.length === 0 || values.some((value) => value < 0 || value > 95)) throw new RangeError('not in Code 128 B')
  const check = values.reduce((sum, value, at) => sum + value * (at + 1), START_B) % 103
  return [START_B, ...values, check].map((value) => WIDTHS[value]!).concat(STOP).join('').split('').map(Number)
}

/** An SVG path of the bars, one unit a module, one high; and how wide it is. */
export function bars(text: string): { path: string; width: number } {
  let at = 0
  let path = ''
  code128(text).forEach((width, index) => {
    if (index % 2 === 0) path += `M${at} 0h${width}v1h-${width}z`
    at += width
  })
  return { path, width: at }
}
