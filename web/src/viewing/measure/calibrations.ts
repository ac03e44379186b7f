/** Which images somebody calibrated by a known length, of all studies that are open. */
import { calibrate, calibrationOf, type Calibration } from '../engine/spacing'
import { frameOf } from '../engine/frames'
import type { Annotation, Measured } from './shapes'
import { measureAnew } from './values'

const studies = new Map<string, Map<string, Calibration>>()

/** Takes over what a study's annotations say, the last of an image; returns whether that changes anything. */
export function takeCalibrations(study: string, all: (Annotation | Measured)[], imageOf: (one: Annotation | Measured) => string | undefined): boolean {
  const found = new Map<string, Calibration>()
  for (const one of all) {
    const mm = one.tool === 'calibration' ? one.values?.find((value) => value.name === 'length' && value.unit === 'mm')?.value : undefined
    const frame = mm ? frameOf(imageOf(one) ?? '') : undefined
    const made = frame && mm ? calibrationOf(frame.instance.json, frame.frame, one.points, mm) : null
    if (made) found.set(one.sop, made)
  }
  const said = (map?: Map<string, Calibration>) => JSON.stringify([...(map ?? [])])
  if (said(studies.get(study)) === said(found)) return false
  studies.set(study, found)
  calibrate(new Map([...studies.values()].flatMap((one) => [...one])))
  measureAnew()
  return true
}
