/** Window presets, as radiologists know them by their organ. Centre and width in Hounsfield units. */
export interface Preset {
  id: 'brain' | 'subdural' | 'stroke' | 'bone' | 'lung' | 'mediastinum' | 'abdomen' | 'liver' | 'angio'
  center: number
  width: number
}

export const CT_PRESETS: Preset[] = [
  { id: 'brain', center: 40, width: 80 },
  { id: 'subdural', center: 75, width: 215 },
  { id: 'stroke', center: 35, width: 35 },
  { id: 'bone', center: 500, width: 2000 },
  { id: 'lung', center: -600, width: 1500 },
  { id: 'mediastinum', center: 40, width: 400 },
  { id: 'abdomen', center: 50, width: 350 },
  { id: 'liver', center: 60, width: 160 },
  { id: 'angio', center: 300, width: 600 },
]

/** Lower and upper bound of a window, as Cornerstone takes it (PS3.3 C.11.2.1.2: LINEAR). */
export function range(center: number, width: number): { lower: number; upper: number } {
  return { lower: center - 0.5 - (width - 1) / 2, upper: center - 0.5 + (width - 1) / 2 }
}

/** [center, width] of bounds. */
export function windowOf(bounds: { lower: number; upper: number }): [number, number] {
  const width = bounds.upper - bounds.lower + 1
  return [bounds.lower + 0.5 + (width - 1) / 2, width]
}
