import { useTranslation } from 'react-i18next'

import { minutesTo } from './model'
import classes from './ReadingList.module.css'

/** How long there is until a report is due; red when it is over, amber when it soon is. Nothing once it is signed. */
export function Due({ at, done, now }: { at: string | null; done: string | null; now: number }) {
  const { t } = useTranslation()
  const minutes = minutesTo(at, now)
  if (minutes === null || done) return null
  const hours = Math.floor(Math.abs(minutes) / 60)
  const words = hours >= 48 ? t('reporting.days', { count: Math.floor(hours / 24) }) : `${hours}:${String(Math.abs(minutes) % 60).padStart(2, '0')}`
  const how = minutes < 0 ? 'late' : minutes < 30 ? 'soon' : 'calm'
  return (
    <span className={classes[how]} title={t(minutes < 0 ? 'reporting.overdueBy' : 'reporting.dueIn', { words })}>
      {minutes < 0 ? `−${words}` : words}
    </span>
  )
}
