import { Tooltip } from '@mantine/core'
import { IconLock } from '@tabler/icons-react'
import type { TFunction } from 'i18next'

import { useMay } from '../access/session'
import type { components } from '../api/schema'
import { ageAt, clock, count, day, madeBy, moment, names, sex } from '../app/format'
import type { Column } from '../app/Grid'
import classes from './StudyList.module.css'

export type StudyRow = components['schemas']['StudyRow']

export function PatientName({ patient }: { patient: StudyRow['patient'] }) {
  const [first, second] = names(patient)
  return (
    <>
      <span className={classes.name}>{first || patient.id}</span>
      {second && <span className={classes.second}>{second}</span>}
    </>
  )
}

function Picture({ study }: { study: string }) {
  const may = useMay()
  if (!may('view')) return null
  return (
    <img
      className={classes.small}
      src={`/dicom-web/studies/${study}/thumbnail?viewport=80,80`}
      alt=""
      loading="lazy"
      width={40}
      height={40}
    />
  )
}

/** Everything in one column, for a screen that has room for one. */
export function narrowColumn(t: TFunction): Column<StudyRow> {
  return {
    id: 'narrow',
    title: t('archive.column.patient'),
    width: Math.max(280, window.innerWidth),
    order: 'date',
    cell: (row) => (
      <div className={classes.narrow}>
        <div>
          {row.sensitive && <IconLock size={12} aria-label={t('archive.column.sensitive')} className={classes.lock} />}
          <PatientName patient={row.patient} />
          <span className={classes.narrowEnd}>{day(row.date)}</span>
        </div>
        <div className={classes.narrowMore}>
          <span className={classes.modality}>{madeBy(row.modalities)}</span>{' '}
          {[row.description, row.patient.id, row.accession_number].filter(Boolean).join(' · ')}
        </div>
      </div>
    ),
  }
}

/** All columns that there are; a person chooses among them. */
export function studyColumns(t: TFunction): Column<StudyRow>[] {
  return [
    {
      id: 'picture',
      title: t('archive.column.picture'),
      width: 60,
      cell: (row) => <Picture study={row.study_uid} />,
    },
    {
      id: 'patient',
      title: t('archive.column.patient'),
      width: 196,
      order: 'name',
      cell: (row) => (
        <>
          {row.sensitive && (
            <Tooltip label={t('archive.study.sensitive')}>
              <IconLock size={12} aria-label={t('archive.column.sensitive')} className={classes.lock} />
            </Tooltip>
          )}
          <PatientName patient={row.patient} />
        </>
      ),
    },
    { id: 'patientId', title: t('archive.column.patientId'), width: 106, order: 'patient_id', cell: (row) => row.patient.id },
    { id: 'sex', title: t('archive.column.sex'), width: 44, cell: (row) => sex(row.patient.sex) },
    { id: 'age', title: t('archive.column.age'), width: 50, cell: (row) => ageAt(row.age, row.patient.birth_date, row.date) },
    { id: 'birthDate', title: t('archive.column.birthDate'), width: 96, cell: (row) => day(row.patient.birth_date) },
    { id: 'date', title: t('archive.column.date'), width: 102, order: 'date', cell: (row) => day(row.date) },
    { id: 'time', title: t('archive.column.time'), width: 52, cell: (row) => clock(row.time) },
    {
      id: 'modality',
      title: t('archive.column.modality'),
      width: 64,
      cell: (row) => (
        <span className={classes.modality} title={row.modalities.join(' ')}>
          {madeBy(row.modalities)}
        </span>
      ),
    },
    { id: 'description', title: t('archive.column.description'), width: 150, order: 'description', cell: (row) => row.description },
    { id: 'bodyPart', title: t('archive.column.bodyPart'), width: 90, cell: (row) => row.body_parts.join(' ') },
    { id: 'accession', title: t('archive.column.accession'), width: 108, order: 'accession', cell: (row) => row.accession_number },
    { id: 'series', title: t('archive.column.series'), width: 54, end: true, cell: (row) => count(row.series) },
    { id: 'images', title: t('archive.column.images'), width: 60, end: true, order: 'instances', cell: (row) => count(row.instances) },
    { id: 'station', title: t('archive.column.station'), width: 110, cell: (row) => row.stations.join(' ') },
    { id: 'institution', title: t('archive.column.institution'), width: 140, cell: (row) => row.institutions.join(' ') },
    { id: 'referrer', title: t('archive.column.referrer'), width: 130, cell: (row) => names({ name: row.referring_physician })[0] },
    { id: 'received', title: t('archive.column.received'), width: 124, order: 'received', cell: (row) => moment(row.received_at) },
  ]
}

export const USUAL_COLUMNS = [
  'patient',
  'patientId',
  'sex',
  'age',
  'date',
  'time',
  'modality',
  'description',
  'accession',
  'images',
  'received',
]
