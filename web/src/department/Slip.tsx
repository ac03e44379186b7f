/** What is printed at the desk: a slip for the patient, with the number as a bar code, and labels. */
import { Button, Loader } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { useLocation, useParams } from 'wouter'

import { ErrorNote } from '../app/errors'
import { day, moment } from '../app/format'
import { bars } from './code128'
import { useExam } from './ExamPanel'
import { ageOf, nameOf, personName, useMaster, type ExamPage } from './model'
import classes from './Slip.module.css'
import { Procedure } from './State'

export default function Slip() {
  const { exam } = useParams<{ exam: string }>()
  const { t } = useTranslation()
  const [, navigate] = useLocation()
  const query = useExam(Number(exam))
  const page = query.data
  return (
    <div className={classes.sheet}>
      <div className={classes.tools}>
        <Button onClick={() => window.print()} disabled={!page}>
          {t('department.slip.print')}
        </Button>
        <Button variant="default" onClick={() => navigate(`/exams/${exam}`)}>
          {t('app.actions.back')}
        </Button>
      </div>
      {query.isError && <ErrorNote error={query.error} again={() => void query.refetch()} />}
      {query.isPending && <Loader size="sm" />}
      {page && <Paper page={page} />}
    </div>
  )
}

function Paper({ page }: { page: ExamPage }) {
  const { t, i18n } = useTranslation()
  const master = useMaster()
  const { exam, person } = page
  const station = master.data?.stations.find((one) => one.code === exam.station)
  const words = master.data?.words.find((one) => one.kind === 'procedure' && one.code === exam.procedure)
  const preparation = String(words?.more[i18n.language === 'zh' ? 'preparation_zh' : 'preparation_en'] ?? '')
  const name = personName(person)
  const about = [person.sex && t(`department.sex.${person.sex as 'M'}`), ageOf(person.birth_date)].filter(Boolean).join(' ')
  return (
    <div className={classes.paper}>
      <section className={classes.slip}>
        <h1>{t('department.slip.title')}</h1>
        <Bars number={exam.number} />
        <dl>
          <dt>{t('department.name')}</dt>
          <dd>
            <b>{name}</b> {about}
          </dd>
          <dt>{t('department.patientId')}</dt>
          <dd>{person.patient_id}</dd>
          <dt>{t('department.person.birth')}</dt>
          <dd>{day(person.birth_date)}</dd>
          <dt>{t('department.procedure')}</dt>
          <dd>
            <b>
              <Procedure exam={exam} />
            </b>
          </dd>
          <dt>{t('department.station')}</dt>
          <dd>{[exam.station, nameOf(station)].filter(Boolean).join(' · ') || t('department.anyStation')}</dd>
          {page.ticket && (
            <>
              <dt>{t('department.slip.ticket')}</dt>
              <dd className={classes.ticket}>{page.ticket.split('-').at(-1)}</dd>
            </>
          )}
          {exam.starts_at && (
            <>
              <dt>{t('department.booked')}</dt>
              <dd>{moment(exam.starts_at)}</dd>
            </>
          )}
          {preparation && (
            <>
              <dt>{t('department.preparation')}</dt>
              <dd>{preparation}</dd>
            </>
          )}
        </dl>
        <p>{moment(exam.arrived_at)}</p>
      </section>
      {[0, 1].map((at) => (
        <section key={at} className={classes.label}>
          <b>{name}</b> {about}
          <br />
          {person.patient_id} · <Procedure exam={exam} />
          <Bars number={exam.number} />
        </section>
      ))}
    </div>
  )
}

function Bars({ number }: { number: string }) {
  const { path, width } = bars(number)
  return (
    <figure className={classes.code}>
      <svg viewBox={`-10 0 ${width + 20} 1`} preserveAspectRatio="none" role="img" aria-label={number}>
        <path d={path} />
      </svg>
      <figcaption>{number}</figcaption>
    </figure>
  )
}
