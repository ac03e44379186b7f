/** Images that fit no exam, each beside the exams that it may be of. */
import { Badge, Loader, UnstyledButton } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { useLocation, useSearchParams } from 'wouter'

import { ErrorNote } from '../app/errors'
import { clock, day, moment, names } from '../app/format'
import { sourcesOf, type InTray } from './model'
import classes from './patients.module.css'
import { StudyDesk } from './StudyDesk'
import { Tabs, useTray } from './Tabs'

export default function Unmatched() {
  const { t } = useTranslation()
  const query = useTray(true)
  const [params] = useSearchParams()
  const [, navigate] = useLocation()
  const rows = query.data?.waiting ?? []
  const wanted = params.get('study')
  const chosen = wanted ?? rows[0]?.study.study_uid ?? null
  const choose = (uid: string) => navigate(`/persons/unmatched?study=${uid}`, { replace: true })
  return (
    <div className={classes.two}>
      <div className={classes.head}>
        <h1 className={classes.title} style={{ margin: 0 }}>
          {t('patients.tabs')}
        </h1>
        <Tabs />
        <span className={classes.found} aria-live="polite">
          {query.data && t('patients.waiting', { count: rows.length })}
        </span>
      </div>
      <div className={classes.list} role={rows.length > 0 ? 'list' : undefined} aria-label={rows.length > 0 ? t('patients.trayTitle') : undefined}>
        {query.isError && <ErrorNote error={query.error} again={() => void query.refetch()} />}
        {query.isPending && <Loader size="sm" m="md" />}
        {query.data && rows.length === 0 && <p className={`${classes.dim} ${classes.entry}`}>{t('patients.noUnmatched')}</p>}
        {rows.map((row) => (
          <div key={row.study.study_uid} role="listitem">
            <UnstyledButton
              className={classes.entry}
              data-active={row.study.study_uid === chosen || undefined}
              aria-current={row.study.study_uid === chosen || undefined}
              onClick={() => choose(row.study.study_uid)}
            >
              <Line row={row} />
            </UnstyledButton>
          </div>
        ))}
      </div>
      <div className={classes.work}>
        <div className={classes.workInner}>
          {chosen ? (
            <StudyDesk key={chosen} uid={chosen} done={() => navigate('/persons/unmatched', { replace: true })} />
          ) : (
            query.data && rows.length > 0 && <p className={classes.dim}>{t('patients.pick')}</p>
          )}
        </div>
      </div>
    </div>
  )
}

const KINDS = ['unmatched-images', 'unscheduled', 'wrong-worklist-entry'] as const
const WHY = ['unknown', 'patient', 'state', 'match undone'] as const

function Line({ row }: { row: InTray }) {
  const { t } = useTranslation()
  const { study } = row
  const kind = KINDS.find((one) => one === row.kind)
  const why = WHY.find((one) => one === row.why)
  const [first, second] = names(study)
  return (
    <>
      <span className={classes.entryTop}>
        <strong>{first || study.patient_id || '–'}</strong>
        {kind && (
          <Badge size="xs" variant="light" color={kind === 'wrong-worklist-entry' ? 'red' : 'yellow'} radius="xs">
            {t(`patients.taskKinds.${kind}`)}
          </Badge>
        )}
      </span>
      <span className={classes.dim} style={{ display: 'block' }}>
        {[second, study.patient_id, study.modalities.join('+'), sourcesOf(t, study.sources)].filter(Boolean).join(' · ')}
      </span>
      <span className={classes.dim} style={{ display: 'block' }}>
        {[study.date ? `${day(study.date)} ${clock(study.time)}` : moment(study.came_at), why && t(`patients.why.${why}`)].filter(Boolean).join(' · ')}
      </span>
    </>
  )
}
