/** Exams of the green channel whose person nobody has told yet, the oldest first. */
import { useInterval } from '@mantine/hooks'
import { useEffect, useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { moment } from '../app/format'
import type { Column } from '../app/Grid'
import { Dot, ListPage } from '../app/ListPage'
import { Named, Procedure, State } from '../department/State'
import { MatchForm } from './MatchForm'
import { bothNames, since, type GreenExam } from './model'
import classes from './patients.module.css'
import { Tabs, useGreen } from './Tabs'

export default function Green() {
  const { t } = useTranslation()
  const [chosen, choose] = useState<string | null>(null)
  const [now, setNow] = useState(() => Date.now())
  const ticking = useInterval(() => setNow(Date.now()), 30_000)
  useEffect(() => {
    ticking.start()
    return ticking.stop
  }, [ticking])
  const query = useGreen(true)
  const rows = query.data?.waiting ?? []
  const one = rows.find((row) => String(row.exam.id) === chosen)

  const columns = useMemo<Column<GreenExam>[]>(
    () => [
      {
        id: 'age',
        title: t('patients.age'),
        width: 130,
        cell: (row) => {
          const [days, hours, minutes] = since(row.since, now)
          return <Dot how={days > 0 ? 'bad' : hours >= 8 ? 'warn' : 'idle'}>{days > 0 ? t('patients.days', { days, hours }) : t('patients.hours', { hours, minutes })}</Dot>
        },
      },
      { id: 'number', title: t('patients.accession'), width: 124, cell: (row) => <span className={classes.number}>{row.exam.number}</span> },
      { id: 'name', title: t('patients.name'), width: 230, cell: (row) => <Named row={row.person} /> },
      { id: 'patientId', title: t('patients.patientId'), width: 130, cell: (row) => row.person.patient_id },
      { id: 'procedure', title: t('patients.procedure'), width: 190, cell: (row) => <Procedure exam={row.exam} /> },
      { id: 'device', title: t('patients.device'), width: 80, cell: (row) => row.exam.station },
      { id: 'state', title: t('patients.state'), width: 120, cell: (row) => <State state={row.exam.state} /> },
      { id: 'since', title: t('patients.since'), width: 130, cell: (row) => moment(row.since) },
    ],
    [t, now],
  )
  return (
    <ListPage
      title={t('patients.tabs')}
      name="green"
      tools={<Tabs />}
      found={query.data && t('patients.waiting', { count: rows.length })}
      columns={columns}
      rows={rows}
      rowId={(row) => String(row.exam.id)}
      query={query}
      empty={t('patients.noGreen')}
      chosen={chosen}
      choose={choose}
      detailsTitle={one && `${one.exam.number} · ${bothNames(one.person)}`}
      details={
        one && (
          <MatchForm
            key={one.exam.id}
            one={one}
            along={one.person.unknown ? rows.filter((row) => row.person.id === one.person.id && row.exam.id !== one.exam.id).length : 0}
            done={() => choose(null)}
          />
        )
      }
    />
  )
}
