import { useTranslation } from 'react-i18next'

import { moment } from '../../app/format'
import type { Task } from './model'

const WHY = ['patient', 'unknown', 'none', 'state'] as const

/** Why moved images are not where they belong. */
const MOVED = ['void', 'waiting', 'revoked'] as const

/** What a task says beyond its kind, in a few words. */
export function TaskBody({ task }: { task: Task }) {
  const { t } = useTranslation()
  const body = task.body
  const said: string[] = []
  if (typeof body.short === 'number' && typeof body.expected === 'number') said.push(t('tasks.body.missing', { short: body.short, expected: body.expected }))
  else if (task.kind === 'images-missing' && body.received === 0) said.push(t('tasks.body.noImages'))
  if (typeof body.count === 'number') said.push(t('tasks.body.count', { count: body.count }))
  const moved = MOVED.find((one) => one === body.why)
  if (task.kind === 'moved-images' && moved) said.push(t(`tasks.body.moved.${moved}`))
  if (task.kind === 'repeat' && body.why === 'wrong-worklist-entry') said.push(t('tasks.body.movedAway'))
  if (typeof body.due === 'string') said.push(t('tasks.body.due', { time: moment(body.due) }))
  const codes = (of: unknown) => (Array.isArray(of) ? of.map((one) => t(`safety.short.${one as 'pregnancy'}`)).join(t('safety.and')) : '')
  if (codes(body.dangers)) said.push(codes(body.dangers))
  if (codes(body.unasked)) said.push(t('safety.missing', { what: codes(body.unasked) }))
  const why = WHY.find((one) => one === body.why)
  if (why) said.push(t(`tasks.body.${why}`))
  if (typeof body.device === 'string') said.push(t('tasks.body.device', { device: body.device }))
  if (Array.isArray(body.numbers)) said.push(t('tasks.body.numbers', { numbers: body.numbers.join(', ') }))
  return <>{said.join(' · ')}</>
}
