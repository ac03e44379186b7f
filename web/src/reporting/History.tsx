import { Loader, UnstyledButton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { ErrorNote } from '../app/errors'
import { moment } from '../app/format'
import { Facts } from '../app/ListPage'
import { nameOf, SECTIONS, type Report } from './model'
import classes from './Workplace.module.css'

/** The revisions of a report, and what each changed. */
export function History({ report }: { report: Report }) {
  const { t } = useTranslation()
  const [chosen, choose] = useState<number | null>(report.revisions.at(-1)?.number ?? null)
  if (report.revisions.length === 0) return <p className={classes.dim}>{t('reporting.noRevisions')}</p>
  const times = report.exams[0]!
  return (
    <>
      {[...report.revisions].reverse().map((one) => (
        <div key={one.number} className={classes.prior}>
          <UnstyledButton w="100%" aria-expanded={chosen === one.number} onClick={() => choose(chosen === one.number ? null : one.number)}>
            <strong>
              {one.number}. {t(`reporting.kinds.${one.kind}`)}
            </strong>{' '}
            <span className={classes.dim}>
              {nameOf(report.people, one.by)} · {moment(one.at)} {one.reason && `· ${one.reason}`}
            </span>
          </UnstyledButton>
          {chosen === one.number && <Difference report={report.id} a={one.number - 1} b={one.number} />}
        </div>
      ))}
      <div className={classes.prior}>
        <Facts
          facts={[
            [t('reporting.facts.ordered'), moment(times.ordered_at)],
            [t('reporting.facts.arrived'), moment(times.arrived_at)],
            [t('reporting.facts.started'), moment(times.started_at)],
            [t('reporting.facts.finished'), moment(times.finished_at)],
            [t('reporting.facts.verified'), moment(times.verified_at)],
            [t('reporting.facts.reported'), moment(times.reported_at)],
            [t('reporting.facts.final'), moment(times.final_at)],
          ]}
        />
      </div>
    </>
  )
}

function Difference({ report, a, b }: { report: number; a: number; b: number }) {
  const { t } = useTranslation()
  const query = useQuery({
    queryKey: ['report', report, 'diff', a, b],
    queryFn: () => data(api.GET('/reports/{report}/diff', { params: { path: { report }, query: { a, b } } })),
    staleTime: Infinity,
  })
  if (query.isError) return <ErrorNote error={query.error} again={() => void query.refetch()} />
  if (!query.data) return <Loader size="xs" />
  if (query.data.sections.length === 0) return <p className={classes.dim}>{t('reporting.same')}</p>
  return query.data.sections.map((one) => (
    <div key={one.section} className={classes.section}>
      <div className={classes.label}>{(SECTIONS as readonly string[]).includes(one.section) ? t(`reporting.sections.${one.section}`) : t(`reporting.parts.${one.section}`, one.section.replace('field:', ''))}</div>
      <div className={classes.text}>
        {one.parts.map((part, at) =>
          part.op === 'added' ? (
            <ins key={at} className={classes.added}>
              {part.text}
            </ins>
          ) : part.op === 'removed' ? (
            <del key={at} className={classes.removed}>
              {part.text}
            </del>
          ) : (
            <span key={at}>{part.text}</span>
          ),
        )}
      </div>
    </div>
  ))
}
