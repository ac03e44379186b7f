import { Anchor, Badge, Group, Loader, UnstyledButton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { api, data } from '../api/client'
import { ErrorNote } from '../app/errors'
import { moment } from '../app/format'
import { Final } from './Final'
import { procedure } from './model'
import classes from './Workplace.module.css'

/** Exams and reports of a person, the newest first; `first`: the report that is open at the beginning. */
export function PersonExams({ person, first }: { person: number; first?: number }) {
  const { t } = useTranslation()
  const [open, setOpen] = useState<number | null>(first ?? null)
  const query = useQuery({
    queryKey: ['person', person, 'timeline'],
    queryFn: () => data(api.GET('/persons/{person}/timeline', { params: { path: { person } } })),
  })
  if (query.isError) return <ErrorNote error={query.error} again={() => void query.refetch()} />
  if (!query.data) return <Loader size="sm" />
  return query.data.items.map(({ exam, report, critical }) => (
    <article key={exam.id} className={classes.prior}>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <UnstyledButton fz="sm" aria-expanded={report !== null && open === report.id} onClick={() => setOpen(report && open !== report.id ? report.id : null)}>
          <strong>{moment(exam.finished_at ?? exam.arrived_at ?? exam.ordered_at).slice(0, 16)}</strong> · {exam.modality} · {procedure(exam)}
        </UnstyledButton>
        <Group gap={4} wrap="nowrap">
          {critical && (
            <Badge size="xs" color="red" radius="xs">
              {t('reporting.criticalShort')}
            </Badge>
          )}
          <Badge size="xs" variant="light" color={report ? 'teal' : 'gray'} radius="xs">
            {t(`reporting.states.${exam.state}`)}
          </Badge>
        </Group>
      </Group>
      <div className={classes.dim}>
        {exam.number}
        {exam.images !== 'none' && exam.study_uids[0] && (
          <>
            {' · '}
            <Anchor component={Link} href={`/view/${exam.study_uids[0]}`} size="xs">{t('reporting.sides.images')}</Anchor>
          </>
        )}
        {report && (
          <>
            {' · '}
            <Anchor component={Link} href={`/reports/${report.id}`} size="xs">{t('reporting.report')}</Anchor>
          </>
        )}
      </div>
      {report && open === report.id && (
        <>
          {report.provisional && <Badge color="orange">{t('reporting.provisional')}</Badge>}
          {report.final ? <Final final={report.final} people={[]} signatures={[]} /> : <p className={classes.dim}>{t('reporting.notYours')}</p>}
        </>
      )}
    </article>
  ))
}
