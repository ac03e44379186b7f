/** The page of an exam: everything that is known of it. */
import { Loader } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { useLocation, useParams } from 'wouter'

import { ErrorNote } from '../app/errors'
import { moment } from '../app/format'
import { Dim, Section } from '../app/ListPage'
import classes from './Department.module.css'
import { Copies } from '../reporting/Copies'
import { ExamActions } from './ExamActions'
import { ExamFacts, useExam, Who } from './ExamPanel'
import { History } from './History'
import { MILESTONES, type ExamPage } from './model'
import { Safety } from './Safety'
import { Procedure, Stat, State } from './State'
import { Checks } from './work/IdentityStep'

export default function ExamSheet() {
  const { exam } = useParams<{ exam: string }>()
  const { t } = useTranslation()
  const [, navigate] = useLocation()
  const client = useQueryClient()
  const query = useExam(Number(exam))
  const page = query.data
  return (
    <div className={classes.sheet}>
      <div className={classes.sheetInner}>
        {query.isError && <ErrorNote error={query.error} again={() => void query.refetch()} />}
        {query.isPending && <Loader size="sm" />}
        {page && (
          <>
            <div className={classes.head}>
              <h1 className={classes.title}>
                <Stat exam={page.exam} />
                <span className={classes.number}>{page.exam.number || t('department.noNumber')}</span>
              </h1>
              <span className={classes.title} style={{ fontWeight: 450 }}>
                <Procedure exam={page.exam} />
              </span>
              <State state={page.exam.state} />
            </div>
            <Who page={page} />
            <Way page={page} />
            <ExamActions
              page={page}
              changed={() => {
                void query.refetch()
                void client.invalidateQueries({ queryKey: ['exams'] })
              }}
            />
            <div className={classes.columns}>
              <div>
                <div className={classes.block}>
                  <ExamFacts page={page} />
                </div>
                <Safety exam={page.exam} changed={() => void query.refetch()} />
                <Section title={t('department.identity.title')}>
                  {page.checks.length === 0 && <Dim>{t('department.identity.never')}</Dim>}
                  <Checks checks={page.checks} />
                </Section>
                <Copies exam={page.exam} done={() => void query.refetch()} />
                {page.siblings.length > 0 && (
                  <Section title={t('department.siblings')}>
                    {page.siblings.map((one) => (
                      <button type="button" key={one.id} className={classes.choice} onClick={() => navigate(`/exams/${one.id}`)}>
                        <span>
                          <span className={classes.number}>{one.number}</span> <Procedure exam={one} />
                        </span>
                        <State state={one.state} />
                      </button>
                    ))}
                  </Section>
                )}
              </div>
              <Section title={t('department.history')}>
                <History entries={page.history} />
              </Section>
            </div>
          </>
        )}
      </div>
    </div>
  )
}

/** The way from the order to the report, with what is behind it. */
function Way({ page }: { page: ExamPage }) {
  const { t } = useTranslation()
  return (
    <ol className={classes.way}>
      {MILESTONES.map((name) => (
        <li key={name} data-done={page.exam[name] ? true : undefined}>
          {t(`department.milestones.${name}`)}
          <span>{page.exam[name] ? moment(page.exam[name]).slice(5) : ' '}</span>
        </li>
      ))}
    </ol>
  )
}
