/** A study beside the exams that it may be of: choose, compare, decide. */
import { Alert, Anchor, Button, Group, Loader, UnstyledButton } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { useMay } from '../access/session'
import { api, data } from '../api/client'
import { Ask } from '../app/Ask'
import { ErrorNote } from '../app/errors'
import { clock, day, moment, names } from '../app/format'
import { Procedure, State } from '../department/State'
import { ExamNumber } from '../department/ExamNumber'
import { procedureOf, type Listed } from '../department/model'
import { Compare, type Pair } from './Compare'
import { MakeExam } from './MakeExam'
import { MoveImages } from './MoveImages'
import { bothNames, born, groupsOf, plain, REASONS, sourcesOf, spaced, type Candidate, type Exam, type StudyPage } from './model'
import classes from './patients.module.css'

/** What is compared with the images: a candidate of the server, or an exam that somebody named. */
interface Side {
  exam: Exam
  name: string
  letters: string
  sex: string
  birth_date: string
  patient_id: string
  score?: number
  why: string[]
}

const sideOf = (one: Candidate): Side => ({
  exam: one.exam,
  name: one.person.name,
  letters: spaced(one.person.name_alphabetic),
  sex: one.person.sex,
  birth_date: one.person.birth_date,
  patient_id: one.person.patient_id,
  score: one.score,
  why: one.why,
})

const sideOfListed = (one: Listed): Side => ({
  exam: one.exam,
  name: one.name,
  letters: spaced(one.name_alphabetic),
  sex: one.sex,
  birth_date: one.birth_date,
  patient_id: one.patient_id,
  why: [],
})

export function StudyDesk({ uid, done }: { uid: string; done: () => void }) {
  const { t } = useTranslation()
  const may = useMay()
  const client = useQueryClient()
  const [picked, pick] = useState<number | null>(null)
  const [named, setNamed] = useState<Side | null>(null)
  const [asking, setAsking] = useState<'assign' | 'make' | null>(null)
  const query = useQuery({
    queryKey: ['unmatched', uid],
    queryFn: () => data(api.GET('/unmatched/{study_uid}', { params: { path: { study_uid: uid } } })),
  })
  if (query.isError) return <ErrorNote error={query.error} again={() => void query.refetch()} />
  if (!query.data) return <Loader size="sm" />
  const page = query.data
  const sides = [...(named ? [named] : []), ...page.candidates.map(sideOf).filter((one) => one.exam.id !== named?.exam.id)]
  const side = sides.find((one) => one.exam.id === picked) ?? sides[0]
  const under = page.exams.find((one) => one.study_uid === uid)
  const changed = (number: string) => {
    notifications.show({ message: t('patients.done.images', { number }), autoClose: 5_000 })
    for (const key of ['unmatched', 'tasks', 'exams', 'person']) void client.invalidateQueries({ queryKey: [key] })
    done()
  }
  return (
    <>
      <Group justify="space-between" mb="xs" gap="xs">
        <h2 className={classes.title} style={{ margin: 0 }}>
          {names(page.study).filter(Boolean).join(' ') || page.study.patient_id || page.study.description || '–'}
        </h2>
        {may('view') && (
          <Anchor component={Link} href={`/view/${uid}`} size="sm">
            {t('patients.openImages')}
          </Anchor>
        )}
      </Group>
      {page.exams.length > 0 && (
        <Alert color="yellow" variant="light" p="xs" mb="sm">
          {t('patients.cameUnder', { number: page.exams.map((one) => one.number || one.id).join(', ') })}
        </Alert>
      )}
      {page.study.several && (
        <Alert color="red" variant="light" p="xs" mb="sm">
          {t('patients.several')}
        </Alert>
      )}
      <h3 className={classes.section} style={{ marginTop: 0 }}>
        {t('patients.candidates')}
      </h3>
      {sides.length === 0 && <p className={classes.dim}>{t('patients.noCandidates')}</p>}
      <div className={classes.candidates} role="group" aria-label={t('patients.candidates')}>
        {sides.map((one) => (
          <UnstyledButton key={one.exam.id} className={classes.candidate} aria-pressed={one === side} onClick={() => pick(one.exam.id)}>
            <span className={classes.entryTop}>
              <strong>{bothNames({ name: one.name, name_alphabetic: one.letters })}</strong>
              {one.score !== undefined && <span className={classes.number}>{t('patients.score', { score: one.score })}</span>}
            </span>
            <span className={classes.dim} style={{ display: 'block' }}>
              {[one.exam.number, procedureOf(one.exam)].filter(Boolean).join(' · ')}
            </span>
            <span className={classes.dim} style={{ display: 'block' }}>
              {reasons(t, one.why)}
            </span>
          </UnstyledButton>
        ))}
        <ExamNumber
          width={170}
          found={(one) => {
            setNamed(sideOfListed(one))
            pick(one.exam.id)
          }}
        />
      </div>
      <Sides page={page} side={side} />
      <Group mt="md">
        <Button disabled={!side || page.study.several} onClick={() => setAsking('assign')}>
          {t('patients.assign')}
        </Button>
        <Button variant="default" disabled={page.study.several} onClick={() => setAsking('make')}>
          {t('patients.makeExam')}
        </Button>
      </Group>
      {asking === 'assign' && side && under && (
        // under another exam's UID they cannot stay: they are copied and rejected there
        <MoveImages exam={under} study={uid} to={side} close={() => setAsking(null)} done={changed} />
      )}
      {asking === 'assign' && side && !under && (
        <Ask
          title={t('patients.assignTitle', { number: side.exam.number || String(side.exam.id) })}
          text={t('patients.assignText')}
          word={t('patients.assign')}
          close={() => setAsking(null)}
          act={async (reason) => {
            const made = await data(
              api.POST('/unmatched/{study_uid}/assign', { params: { path: { study_uid: uid } }, body: { exam: side.exam.id, reason } }),
            )
            changed(made.exam.number)
          }}
        />
      )}
      {asking === 'make' && <MakeExam page={page} close={() => setAsking(null)} done={changed} />}
    </>
  )
}

type T = ReturnType<typeof useTranslation>['t']

/** What agrees, then what contradicts, with a sign before it. */
function reasons(t: T, why: string[]): string {
  const word = (one: string) => {
    const known = REASONS.find((each) => each === one.replace(/^-/, ''))
    return known ? (one.startsWith('-') ? '✗ ' : '✓ ') + t(`patients.reasons.${known}`) : ''
  }
  return [...why.filter((one) => !one.startsWith('-')), ...why.filter((one) => one.startsWith('-'))].map(word).join('  ')
}

function Sides({ page, side }: { page: StudyPage; side?: Side }) {
  const { t } = useTranslation()
  const { study } = page
  const [letters, characters] = groupsOf(study.name)
  const sex = (value: string) => (value === 'M' || value === 'F' || value === 'O' ? t(`department.sex.${value}`) : value)
  const exam = side?.exam
  const differ = (left: string, right: string | undefined) => Boolean(left && right && plain(left) !== plain(right))
  // images under another's entry tell of the other: that they contradict says nothing
  const compared = page.exams.length === 0
  const pairs: Pair[] = [
    { name: t('patients.name'), left: characters || letters, right: side?.name, differs: compared && (characters ? differ(characters, side?.name) : differ(letters, side?.letters)) },
    { name: t('patients.letters'), left: letters, right: side?.letters, differs: compared && differ(letters, side?.letters) },
    { name: t('patients.sex'), left: sex(study.sex), right: sex(side?.sex ?? ''), differs: compared && differ(study.sex, side?.sex) },
    { name: t('patients.birth'), left: born(study), right: side ? born(side) : '', differs: compared && differ(study.birth_date, side?.birth_date) },
    { name: t('patients.patientId'), left: study.patient_id, right: side?.patient_id, differs: compared && differ(study.patient_id, side?.patient_id) },
    { name: t('patients.accession'), left: study.accession, right: exam?.number, differs: compared && differ(study.accession, exam?.number) },
    { name: t('patients.modality'), left: study.modalities.join('+'), right: exam?.modality, differs: Boolean(exam && study.modalities.length && !study.modalities.includes(exam.modality)) },
    { name: t('patients.description'), left: study.description, right: exam && <Procedure exam={exam} /> },
    { name: t('patients.when'), left: study.date ? `${day(study.date)} ${clock(study.time)}` : moment(study.came_at), right: exam && moment(exam.started_at ?? exam.arrived_at ?? exam.starts_at ?? exam.ordered_at) },
    { name: t('patients.device'), left: sourcesOf(t, study.sources), right: exam?.station },
    { name: t('patients.state'), left: t('patients.series', { series: study.series, images: study.images }), right: exam && <State state={exam.state} /> },
  ]
  return <Compare left={t('patients.told')} right={t('patients.candidate')} pairs={pairs} />
}
