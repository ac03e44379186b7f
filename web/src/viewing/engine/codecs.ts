/** Which codecs this browser undoes rightly; of the others the server sends decoded frames. */
import type { Layout } from './pixels'

/** What a look at a compressed frame tells; throws where the decoder would get it wrong. */
interface Look {
  /** By the browser's own JPEG decoder. */
  native?: boolean
  /** What the decoded samples are, where that is not what the header says. */
  photometric?: string
}

export interface Stream {
  bytes: Uint8Array
  transferSyntax: string
  decode: ((bytes: Uint8Array) => Look) | null
}

/** The codestream is signed where the object says it is not, or the other way round: see loader.ts. */
export class OtherSign extends Error {
  constructor() {
    super('the sign of the codestream is not the sign of the object')
  }
}

const NATIVE = /^1\.2\.840\.10008\.1\.2(\.1|\.2|\.1\.99)?$/
const as = (): Look => ({})

/** How frames of a transfer syntax are undone here; null where they are not. */
export function suits(transferSyntax: string, layout: Layout): Stream['decode'] {
  if (NATIVE.test(transferSyntax)) return as
  const { samples, allocated, planar } = layout
  if (allocated !== 8 && allocated !== 16) return null
  const grey = samples === 1
  switch (transferSyntax.replace('1.2.840.10008.1.2.', '')) {
    case '4.50':
      if (grey) return as
      // without the mark of a colour space it is taken as YBR, which RGB is not
      return layout.photometric.startsWith('YBR') ? () => ({ native: true }) : null
    case '4.57':
    case '4.70':
      return grey ? as : null
    case '4.80':
    case '4.81':
      // decoders know no sign of less than a whole word
      return grey && !(layout.signed && layout.stored < allocated) ? as : null
    case '5':
      return grey && !planar ? as : null
    case '4.90':
    case '4.91':
    case '4.201':
    case '4.202':
      return (bytes) => codestream(bytes, layout)
    // not 4.203: what goes beyond the end of the range comes out at its other end
    default:
      return null
  }
}

/** Looks at the main header of a JPEG 2000 codestream (ISO/IEC 15444-1 A.5, A.6.1). */
function codestream(bytes: Uint8Array, layout: Layout): Look {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  while (at + 4 < bytes.length && view.getUint32(at) !== 0xff4fff51) at += 1
  if (at + 44 >= bytes.length) throw new Error('no JPEG 2000 codestream')
  const components = view.getUint16(at + 40)
  const depth = view.getUint8(at + 42)
  if (components !== layout.samples) throw new Error(`${components} components instead of ${layout.samples}`)
  if (depth >> 7 !== Number(layout.signed)) throw new OtherSign()
  if ((depth & 0x7f) + 1 > layout.allocated) throw new Error('more bits than the object says')
  if (layout.samples === 1) return {}
  if (layout.allocated !== 8) throw new Error('colour of more than 8 bits')
  // a colour transformation of the codec gives RGB; without it this decoder is wrong
  let marker = at + 2
  while (marker + 4 < bytes.length && view.getUint16(marker) !== 0xff52) {
    if (view.getUint16(marker) === 0xff90) throw new Error('no coding style')
    marker += 2 + view.getUint16(marker + 2)
  }
  if (view.getUint8(marker + 8) !== 1) throw new Error('colour without a transformation')
  return { photometric: 'RGB' }
}
