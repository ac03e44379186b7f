/** Lays a study out when it opens: by the layout for such exams, else beside its relevant prior, else alone. */
import { useQuery } from '@tanstack/react-query'
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'

import { api, data } from '../../api/client'
import type { components } from '../../api/schema'
import { usePreference } from '../../app/preferences'
import { TOOLS, type ToolId } from '../engine/tools'
import type { Model, Viewing } from '../model'
import { choose, likest, type Choice, type Content, type Known } from './choose'

export type Kept = components['schemas']['LayoutWords']
type Plan = { kind: 'layout'; content: Content } | { kind: 'beside' } | { kind: 'alone'; rows: number; columns: number }

export const hangingKey = (study: string) => ['hanging', study]
export const hangingQuery = (study: string) => ({
  queryKey: hangingKey(study),
  queryFn: () => data(api.GET('/studies/{study_uid}/layouts', { params: { path: { study_uid: study } } })),
  staleTime: 60_000,
  retry: 1,
})
/** Narrower than this, one image fills the screen; CSS pixels. */
const NARROW = 768

export interface Hanging {
  /** For exams like this, the best first. */
  layouts: Kept[]
  /** What they are chosen by. */
  exam: { modalities: string[]; bodyParts: string[]; department: string }
  priors: string[]
  /** Number of the layout that it was opened by or that was chosen; 0: none. */
  current: number
  apply: (layout: Kept) => void
  /** Whether a prior is put beside it by itself. */
  beside: boolean
  setBeside: (on: boolean) => void
  /** Keeps rows and columns for the next exam of the kind. */
  remember: (rows: number, columns: number) => void
}

interface Wish {
  viewing: Viewing
  model: Model
  study: string
  /** Studies that are asked for beside it, and a series that is asked for. */
  asked: string[]
  series: string
  wants: (series: string) => void
}

/** [the layouts, the other studies to be opened]. */
export function useHanging({ viewing, model, study, asked, series, wants }: Wish): [Hanging, string[]] {
  const query = useQuery(hangingQuery(study))
  const [beside, setBeside] = usePreference('viewing.beside', true)
  const [grids, keepGrids] = usePreference<Record<string, [number, number]>>('viewing.grids', {})
  const [chosen, choosing] = useState<Kept | null>(null)
  const told = query.data
  const kind = told?.modalities.find((one) => !['SR', 'PR', 'KO'].includes(one)) ?? ''

  const plan = useMemo((): Plan | null => {
    if (query.isPending) return null
    const alone: Plan = { kind: 'alone', rows: 1, columns: 1 }
    if (chosen) return { kind: 'layout', content: chosen.content }
    if (innerWidth < NARROW || series) return asked.length && innerWidth >= NARROW ? { kind: 'beside' } : alone
    if (asked.length) return { kind: 'beside' }
    const best = told?.layouts[0]
    if (best) return { kind: 'layout', content: best.content }
    if (beside && told?.priors.length) return { kind: 'beside' }
    const [rows, columns] = grids[kind] ?? [1, 1]
    return { kind: 'alone', rows, columns }
    // as it is when the study opens: what is set up later is for the next one
  }, [query.isPending, told, chosen])

  const others = useMemo(() => {
    const priors = told?.priors ?? []
    if (plan?.kind === 'layout') {
      const wanted = plan.content.panes.map((rule) => rule.prior ?? 0).filter((prior) => prior > 0)
      return [...new Set([...asked, ...wanted.flatMap((prior) => priors[prior - 1] ?? [])])]
    }
    return plan?.kind === 'beside' && !asked.length ? priors.slice(0, 1) : asked
  }, [plan, told, asked.join()])

  const done = useRef<{ plan: Plan | null; panes: Set<number> }>({ plan: null, panes: new Set() })
  useEffect(() => {
    if (!plan || (viewing.touched && done.current.plan === plan)) return
    if (done.current.plan !== plan) {
      if (viewing.touched && !chosen) return
      done.current = { plan, panes: new Set() }
      viewing.touched = false
      begin(viewing, plan)
    }
    const [own] = model.known
    if (own?.study !== study) return
    const priors = told?.priors ?? []
    const put = (at: number, choice: Choice, start?: Parameters<Viewing['place']>[2]) => {
      if (choice !== 'none' && 'read' in choice) return wants(choice.read)
      done.current.panes.add(at)
      if (choice !== 'none') viewing.place(choice.stack, at, start)
    }
    const left = (at: number) => !done.current.panes.has(at)
    if (plan.kind === 'layout') {
      plan.content.panes.forEach((rule, at) => {
        const of = rule.prior ? priors[rule.prior - 1] : study
        const known = of ? model.known.find((one) => one.study === of) : undefined
        if (!left(at) || (!known && of)) return
        put(at, known ? choose(rule, known) : 'none', { window: rule.window ?? null, invert: rule.invert ?? false })
        const stack = viewing.get().panes[at]?.stack
        if (rule.view !== 'stack' && plan.content.panes.length === 1 && stack?.volume && !left(at)) viewing.cut(stack)
      })
      return
    }
    const first = opening(own, series)
    if (first && left(0)) put(0, first)
    const shown = viewing.get().panes[0]?.stack
    if (plan.kind === 'beside' && shown) {
      others.slice(0, 1).forEach((prior) => {
        const known = model.known.find((one) => one.study === prior)
        if (known && left(1)) put(1, likest(shown, known))
      })
    }
    if (plan.kind === 'alone' && shown && plan.rows * plan.columns > 1 && left(1)) {
      if (own.series.some((one) => one.stacks === undefined)) return
      done.current.panes.add(1)
      viewing.fill(own.series.flatMap((one) => one.stacks ?? []))
    }
  }, [plan, model.known, others, viewing, study, told, series, wants, chosen])

  const apply = useCallback((layout: Kept) => choosing({ ...layout }), [])
  const remember = (rows: number, columns: number) => kind && keepGrids({ ...grids, [kind]: [rows, columns] })
  const hanging: Hanging = {
    layouts: told?.layouts ?? [],
    exam: { modalities: told?.modalities ?? [], bodyParts: told?.body_parts ?? [], department: told?.department ?? '' },
    priors: told?.priors ?? [],
    current: chosen?.number ?? (plan?.kind === 'layout' ? (told?.layouts[0]?.number ?? 0) : 0),
    apply,
    beside,
    setBeside,
    remember,
  }
  return [hanging, others]
}

function begin(viewing: Viewing, plan: Plan): void {
  if (plan.kind === 'beside') return viewing.grid(1, 2)
  if (plan.kind === 'alone') return viewing.grid(plan.rows, plan.columns)
  const { rows, columns, linked, tool } = plan.content
  viewing.clear()
  viewing.grid(rows, columns)
  viewing.link(linked ?? false)
  if (tool && tool in TOOLS) viewing.take(tool as ToolId)
}

/** The series to begin with: what was asked for, else the first with images, else the first. */
function opening(own: Known, wanted: string): Choice | null {
  const series = own.series.find((one) => one.uid === wanted) ?? own.series.find((one) => one.images) ?? own.series[0]
  if (!series) return null
  if (series.stacks === undefined) return { read: series.uid }
  return series.stacks?.[0] ? { stack: series.stacks[0] } : 'none'
}
