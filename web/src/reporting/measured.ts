/** What is measured in studies, as lines of text that a report takes. */
import type { TFunction } from 'i18next'

import { api, data } from '../api/client'
import type { components } from '../api/schema'

export interface Line {
  id: string
  sop: string
  frame: number
  text: string
}

type Value = { name: string; value: number; unit: string }
type Drawn = { id: string; tool: string; sop: string; frame: number; label: string; plane?: object | null; values?: Value[] }

/**
 * One's own drafts first, then what is saved; each once. `row`: whose it is, where images of several patients have the
 * first of these numbers; of one for which that is not known, nothing.
 */
export async function measuredIn(studies: string[], row: number, t: TFunction): Promise<Line[]> {
  const found = await Promise.all(
    studies.map(async (study_uid, at) => {
      const params = { path: { study_uid } }
      const query = at === 0 && row ? { row } : {}
      const details = await data(api.GET('/studies/{study_uid}', { params: { ...params, query } }))
      const mixed = details.other_patients > 0
      if (mixed && !query.row) return []
      const its = new Set(details.content.flatMap((one) => one.objects))
      const [draft, saved] = await Promise.all([
        data(api.GET('/studies/{study_uid}/draft', { params })) as Promise<components['schemas']['DraftWords']>,
        data(api.GET('/studies/{study_uid}/measurements', { params: { ...params, query: mixed ? query : {} } })) as Promise<components['schemas']['Measurements']>,
      ])
      return [...(draft.annotations as Drawn[]).filter((one) => !mixed || its.has(one.sop)), ...(saved.annotations as Drawn[])]
    }),
  )
  const seen = new Set<string>()
  return found
    .flat()
    .filter((one) => !seen.has(one.id) && seen.add(one.id))
    .map((one) => ({ id: one.id, sop: one.sop, frame: one.frame, text: words(one, t) }))
    .filter((one) => one.text)
}

function words(one: Drawn, t: TFunction): string {
  const values = (one.values ?? []).slice(0, 4).map((value) => `${rounded(value.value)}${value.unit ? ` ${value.unit}` : ''}`)
  const name = one.label || (t(`viewing.tool.${one.tool}`, { defaultValue: '' }) as string)
  return [name, values.join(' × '), one.plane && `(${t('viewing.spacing.reformatted')})`].filter(Boolean).join(' ')
}

function rounded(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(1)
}
