import type { TimelineItem } from '../../app/items'
import { day } from '../../app/format'
import classes from './Timeline.module.css'

/** Of which study a document is. */
export default function DocumentLine({ item }: { item: TimelineItem }) {
  const more = item.more as Record<string, string>
  const title = more.sop_class?.replace(/ Storage$/, '') ?? ''
  return (
    <div className={classes.dim}>
      {[title, [more.study, day(more.study_date ?? '')].filter(Boolean).join(' '), item.accession_number]
        .filter(Boolean)
        .join(' · ')}
    </div>
  )
}
