/** Whose study it is and what it is, in lists of what was done to studies. Of those that a person may not find, nothing. */
import { Anchor } from '@mantine/core'
import type { TFunction } from 'i18next'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { useMay } from '../access/session'
import type { components } from '../api/schema'
import { clock, day, madeBy, names } from '../app/format'
import type { Column } from '../app/Grid'
import { Dim, Facts } from '../app/ListPage'
import { PatientName } from './columns'

export type NamedStudy = components['schemas']['NamedStudy']

/** `of`: the studies of a row; one UID may be several patients'. */
export function whoseColumns<Row>(t: TFunction, of: (row: Row) => NamedStudy[]): Column<Row>[] {
  const each = (row: Row, words: (one: NamedStudy) => string) => of(row).map(words).filter(Boolean).join(' / ')
  return [
    {
      id: 'patient',
      title: t('archive.column.patient'),
      width: 170,
      cell: (row) => {
        const found = of(row)
        if (found.length === 0) return <Dim>{t('stewards.unseen')}</Dim>
        if (found.length === 1) return <PatientName patient={found[0]!.patient} />
        return each(row, (one) => names(one.patient)[0] || one.patient.id)
      },
    },
    { id: 'patientId', title: t('archive.column.patientId'), width: 110, cell: (row) => each(row, (one) => one.patient.id) },
    { id: 'date', title: t('archive.column.date'), width: 92, cell: (row) => each(row, (one) => day(one.date)) },
    {
      id: 'description',
      title: t('archive.column.description'),
      width: 170,
      cell: (row) => each(row, (one) => [madeBy(one.modalities), one.description].filter(Boolean).join(' ')),
    },
  ]
}

/** The same beside a list, with the way to the images. */
export function WhoseStudy({ studies, uid }: { studies: NamedStudy[]; uid: string }) {
  const { t } = useTranslation()
  const may = useMay()
  if (studies.length === 0) return <Facts facts={[[t('archive.column.patient'), t('stewards.unseen')], [t('stewards.studyUid'), uid]]} />
  return studies.map((one) => (
    <Facts
      key={one.row}
      facts={[
        [t('archive.column.patient'), names(one.patient).filter(Boolean).join(' ')],
        [t('archive.column.patientId'), [one.patient.id, one.patient.issuer].filter(Boolean).join(' · ')],
        [t('archive.column.birthDate'), day(one.patient.birth_date)],
        [t('archive.column.date'), [day(one.date), clock(one.time)].filter(Boolean).join(' ')],
        [t('archive.column.description'), [madeBy(one.modalities), one.description].filter(Boolean).join(' ')],
        [t('archive.column.accession'), one.accession_number],
        [
          t('stewards.studyUid'),
          may('view') ? (
            <Anchor key="study" component={Link} href={studies.length > 1 ? `/view/${uid}?row=${one.row}` : `/view/${uid}`} size="sm">
              {uid}
            </Anchor>
          ) : (
            uid
          ),
        ],
      ]}
    />
  ))
}
