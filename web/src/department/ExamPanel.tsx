/** An exam beside a list: whose, what, where it is on its way, and what can be done with it. */
import { Button, CloseButton, Loader } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { api, data } from '../api/client'
import { ErrorNote } from '../app/errors'
import { moment } from '../app/format'
import { Facts, Section } from '../app/ListPage'
import classes from './Department.module.css'
import { Copies } from '../reporting/Copies'
import { ExamActions } from './ExamActions'
import { History } from './History'
import { ageOf, nameOf, spokenNames, useMaster, usePlaceNames, type ExamPage } from './model'
import { Safety } from './Safety'
import { Procedure, Stat, State } from './State'

export function useExam(exam: number) {
  return useQuery({
    queryKey: ['exam', exam],
    queryFn: () => data(api.GET('/exams/{exam}', { params: { path: { exam } } })),
    refetchInterval: 15_000,
  })
}

interface Props {
  exam: number
  changed: () => void
  close?: () => void
  open: (exam: number) => void
}

export function ExamPanel({ exam, changed, close, open }: Props) {
  const { t } = useTranslation()
  const query = useExam(exam)
  // what is there stays where reading it anew fails: a window may be open over it
  const failed = query.isError && <ErrorNote error={query.error} again={() => void query.refetch()} />
  if (!query.data) return failed || <Loader size="sm" />
  const page = query.data
  return (
    <>
      {failed}
      <div className={classes.head} style={{ flexWrap: 'nowrap' }}>
        <h2 className={classes.title} style={{ flex: 1 }}>
          <Stat exam={page.exam} />
          <span className={classes.number}>{page.exam.number || t('department.noNumber')}</span>
        </h2>
        <State state={page.exam.state} />
        {close && <CloseButton size="sm" onClick={close} aria-label={t('admin.closeDetails')} />}
      </div>
      <Who page={page} />
      <ExamActions
        page={page}
        changed={() => {
          void query.refetch()
          changed()
        }}
      />
      <ExamFacts page={page} />
      <Safety
        exam={page.exam}
        changed={() => {
          void query.refetch()
          changed()
        }}
      />
      {page.siblings.length > 0 && (
        <Section title={t('department.siblings')}>
          {page.siblings.map((one) => (
            <button type="button" key={one.id} className={classes.choice} onClick={() => open(one.id)}>
              <span>
                <Procedure exam={one} />
              </span>
              <State state={one.state} />
            </button>
          ))}
        </Section>
      )}
      <Copies exam={page.exam} done={() => void query.refetch()} />
      <Section
        title={t('department.history')}
        action={
          <Button component={Link} href={`/exams/${exam}`} size="compact-xs" variant="subtle">
            {t('department.wholePage')}
          </Button>
        }
      >
        <History entries={page.history.slice(-6)} />
      </Section>
    </>
  )
}

export function Who({ page }: { page: ExamPage }) {
  const { t } = useTranslation()
  const { person } = page
  const [name, letters] = spokenNames({ name: person.name_ideographic || person.name_alphabetic, name_alphabetic: person.name_alphabetic })
  return (
    <div style={{ fontSize: '0.875rem' }}>
      <Link href={`/patients/${person.id}`} className={classes.name} style={{ color: 'inherit' }}>
        {name}
      </Link>
      {letters && <span className={classes.dim}> {letters}</span>}
      <div className={classes.dim} style={{ fontSize: '0.8125rem' }}>
        {[
          person.sex && t(`department.sex.${person.sex as 'M'}`),
          ageOf(person.birth_date),
          person.patient_id,
          person.vip && 'VIP',
          person.unknown && t('department.unknownPerson'),
        ]
          .filter(Boolean)
          .join(' · ')}
      </div>
    </div>
  )
}

export function ExamFacts({ page }: { page: ExamPage }) {
  const { t } = useTranslation()
  const place = usePlaceNames()
  const master = useMaster()
  const stationName = (code: string) => {
    const name = nameOf(master.data?.stations.find((one) => one.code === code))
    return name && name !== code ? `${code} · ${name}` : code
  }
  const { exam, order } = page
  const aliases = page.numbers.filter((one) => one.number !== exam.number).map((one) => one.number)
  const cautions = Object.entries(order.cautions).map(([name, value]) => {
    const said = name === 'pregnancy' ? t(`department.pregnancies.${value as 'no'}`) : value
    return `${t(`department.cautions.${name as 'allergies'}`)}: ${said}`
  })
  return (
    <Facts
      facts={[
        [t('department.procedure'), <Procedure exam={exam} key="p" />],
        [t('department.station'), [stationName(exam.station), page.ticket && t('department.ticket', { ticket: page.ticket })].filter(Boolean).join(' · ')],
        [t('department.booked'), exam.starts_at ? moment(exam.starts_at) : ''],
        [t('department.held'), exam.state === 'E05' ? (page.history.findLast((one) => one.transition === 'T06')?.reason ?? '') : ''],
        [t('department.priority'), order.priority === 'routine' ? '' : t(`department.priorities.${order.priority as 'urgent'}`)],
        [t('department.patientClass'), t(`department.patientClasses.${order.patient_class as 'O'}`)],
        [t('department.visitNumber'), order.visit_number],
        [t('department.admissionNumber'), order.admission_number],
        [t('department.requester'), [place('department', order.department), place('ward', order.ward), order.bed, order.requester].filter(Boolean).join(' · ')],
        [t('department.diagnosis'), order.diagnosis],
        [t('department.clinicalHistory'), order.history],
        [t('department.purpose'), order.purpose],
        [t('department.protocol'), page.protocol],
        [t('department.caution'), cautions.length ? <b key="c">{cautions.join('; ')}</b> : ''],
        [t('department.images'), t('department.imageCount', { count: page.images })],
        [t('department.aliases'), aliases.join(', ')],
      ]}
    />
  )
}
