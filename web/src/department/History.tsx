import { useTranslation } from 'react-i18next'

import { moment } from '../app/format'
import { asSaid, asTyped } from '../app/reasons'
import classes from './Department.module.css'
import { usePeople, type ExamPage } from './model'

type Entry = ExamPage['history'][number]

/** What happened to an exam, the newest first. */
export function History({ entries }: { entries: Entry[] }) {
  const { t, i18n } = useTranslation()
  const called = usePeople()
  const what = (one: Entry) => {
    const key = one.transition ? `department.transitions.${one.transition}` : `department.notes.${one.what}`
    return i18n.exists(key) ? t(key as 'department.transitions.T04') : one.what
  }
  return (
    <ol className={classes.history}>
      {[...entries].reverse().map((one) => (
        <li key={one.seq}>
          <time dateTime={one.at}>{moment(one.at)}</time>
          <span>
            <b>{what(one)}</b>
            {one.from_state !== one.to_state && one.from_state && (
              <span className={classes.dim}>
                {' '}
                {t(`department.states.${one.from_state}`)} → {t(`department.states.${one.to_state}`)}
              </span>
            )}
            <br />
            <span className={classes.dim}>
              {[called(one.by), t(`department.sources.${one.source as 'screen'}`), told(one), again(t, one)].filter(Boolean).join(' · ')}
            </span>
            {one.reason && (
              <>
                <br />
                {one.source === 'screen' ? asTyped(one.reason) : asSaid(one.reason)}
              </>
            )}
          </span>
        </li>
      ))}
    </ol>
  )
}

/** What of the details a person understands: numbers and stations, from and to. */
function told(entry: Entry): string {
  const detail = entry.detail as Record<string, unknown>
  const said = (name: string) => (typeof detail[name] === 'string' || typeof detail[name] === 'number' ? String(detail[name]) : '')
  const to = said('to') || said('station') || said('number')
  const from = said('from') || said('before')
  return from && to ? `${from} → ${to}` : to
}

/** That the same was ordered a few days before. */
function again(t: ReturnType<typeof useTranslation>['t'], entry: Entry): string {
  const { earlier } = entry.detail as Record<string, unknown>
  return Array.isArray(earlier) ? t('department.earlier.again', { numbers: earlier.join(', ') }) : ''
}
