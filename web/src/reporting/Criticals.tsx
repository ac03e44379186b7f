import { Switch } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { moment } from '../app/format'
import type { Column } from '../app/Grid'
import { Dot, Facts, ListPage } from '../app/ListPage'
import { usePeople, usePlaceNames } from '../department/model'
import { CriticalNote } from './CriticalBox'
import { personNames, procedure } from './model'

type Critical = components['schemas']['CriticalItem']

/** All critical results that the reader has to do with: the most urgent first. */
export default function Criticals() {
  const { t } = useTranslation()
  const place = usePlaceNames()
  const called = usePeople()
  const [open, setOpen] = useState(true)
  const [chosen, choose] = useState<string | null>(null)
  const query = useQuery({
    queryKey: ['criticals', 'list', open],
    queryFn: () => data(api.POST('/criticals/list', { body: { open, limit: 300 } })),
    refetchInterval: 15_000,
  })
  const rows = query.data?.criticals ?? []
  const row = rows.find((one) => String(one.id) === chosen)
  const columns = useMemo<Column<Critical>[]>(
    () => [
      {
        id: 'status',
        title: t('reporting.state'),
        width: 104,
        cell: (one) => <Dot how={['raised', 'notified'].includes(one.status) ? 'bad' : one.status === 'closed' ? 'good' : 'warn'}>{t(`reporting.critical.${one.status}`)}</Dot>,
      },
      { id: 'patient', title: t('reporting.patient'), width: 170, cell: (one) => personNames(one.about.person).filter(Boolean).join(' ') },
      { id: 'finding', title: t('reporting.critical.finding'), width: 280, cell: (one) => one.finding },
      { id: 'number', title: t('reporting.number'), width: 118, cell: (one) => one.about.number },
      { id: 'procedure', title: t('reporting.procedure'), width: 170, cell: (one) => procedure(one.about) },
      { id: 'where', title: t('reporting.ward'), width: 110, cell: (one) => [place('ward', one.about.ward), one.about.bed].filter(Boolean).join(' ') },
      { id: 'raised', title: t('reporting.critical.raised').replace(/^./, (first) => first.toUpperCase()), width: 130, cell: (one) => moment(one.raised_at) },
      { id: 'due', title: t('reporting.facts.due'), width: 130, cell: (one) => moment(one.due_at) },
    ],
    [t, place],
  )
  return (
    <ListPage
      title={t('app.nav.criticals')}
      name="criticals"
      found={query.data && t('reporting.critical.found', { count: rows.length })}
      tools={<Switch size="xs" label={t('reporting.critical.onlyOpen')} checked={open} onChange={(event) => setOpen(event.currentTarget.checked)} />}
      columns={columns}
      rows={rows}
      rowId={(one) => String(one.id)}
      query={query}
      empty={t('reporting.critical.none')}
      chosen={chosen}
      choose={choose}
      detailsTitle={row && personNames(row.about.person).filter(Boolean).join(' ')}
      details={
        row && (
          <>
            <CriticalNote critical={row} done={() => void query.refetch()} />
            <Facts facts={row.steps.map((one) => [moment(one.at), [t(`reporting.critical.${one.what}`), called(one.by), one.receiver, one.words].filter(Boolean).join(' · ')])} />
          </>
        )
      }
    />
  )
}
