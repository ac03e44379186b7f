import { Badge, Button, Loader, Switch } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { age, moment } from '../app/format'
import type { Column } from '../app/Grid'
import { ListPage } from '../app/ListPage'
import { usePlaceNames } from '../department/model'
import { CriticalNote } from './CriticalBox'
import { personNames, procedure } from './model'
import { PersonExams } from './PersonExams'
import classes from './ReadingList.module.css'

type Arrived = components['schemas']['InboxReport']

/** What waits for a clinician: critical results first, then new reports; beside it everything of the patient. */
export default function Inbox() {
  const { t } = useTranslation()
  const [, navigate] = useLocation()
  const place = usePlaceNames()
  const [unread, setUnread] = useState(true)
  const [chosen, choose] = useState<string | null>(null)
  const query = useQuery({
    queryKey: ['inbox', unread],
    queryFn: () => data(api.POST('/inbox', { body: { unread, days: 30, limit: 300 } })),
    refetchInterval: 20_000,
  })
  const rows = query.data?.reports ?? []
  const row = rows.find((one) => String(one.report) === chosen)
  const columns = useMemo<Column<Arrived>[]>(
    () => [
      {
        id: 'new',
        title: '',
        width: 84,
        cell: (one) =>
          one.corrected ? (
            <Badge size="xs" radius="xs" color="orange">
              {t('reporting.inbox.corrected')}
            </Badge>
          ) : one.read ? null : (
            <Badge size="xs" radius="xs">
              {t('reporting.inbox.new')}
            </Badge>
          ),
      },
      {
        id: 'name',
        title: t('reporting.patient'),
        width: 180,
        cell: (one) => {
          const [first, second] = personNames(one.person)
          return (
            <>
              {first} <span className={classes.dim}>{second}</span>
            </>
          )
        },
      },
      { id: 'age', title: t('reporting.age'), width: 78, cell: (one) => [one.person.sex && t(`reporting.sex.${one.person.sex}`), age(one.person.age)].filter(Boolean).join(' ') },
      { id: 'ward', title: t('reporting.ward'), width: 150, cell: (one) => [place('ward', one.ward), one.bed].filter(Boolean).join(' ') },
      { id: 'modality', title: t('reporting.modality'), width: 56, cell: (one) => one.modality },
      { id: 'procedure', title: t('reporting.procedure'), width: 180, cell: (one) => procedure(one) },
      { id: 'result', title: t('reporting.result'), width: 96, cell: (one) => one.result && t(`reporting.results.${one.result}`) },
      { id: 'final', title: t('reporting.facts.final'), width: 130, cell: (one) => moment(one.final_at ?? one.changed_at) },
      { id: 'number', title: t('reporting.number'), width: 118, cell: (one) => one.number },
    ],
    [t, place],
  )
  return (
    <div style={{ display: 'grid', gridTemplateRows: 'auto minmax(0, 1fr)', height: '100%' }}>
      <div style={{ maxHeight: '40vh', overflow: 'auto', padding: query.data?.criticals.length ? '0.5rem 0.75rem 0' : 0 }}>
        {query.data?.criticals.map((one) => (
          <div key={one.id}>
            <div className={classes.dim}>
              {[...personNames(one.about.person), one.about.number, procedure(one.about), place('ward', one.about.ward), one.about.bed].filter(Boolean).join(' · ')}
            </div>
            <CriticalNote critical={one} done={() => void query.refetch()} />
          </div>
        ))}
      </div>
      <ListPage
        title={t('app.nav.inbox')}
        name="inbox"
        found={query.data && t('reporting.inbox.found', { count: rows.length })}
        tools={<Switch size="xs" label={t('reporting.inbox.onlyNew')} checked={unread} onChange={(event) => setUnread(event.currentTarget.checked)} />}
        columns={columns}
        rows={rows}
        rowId={(one) => String(one.report)}
        query={query}
        empty={t(unread ? 'reporting.inbox.noneNew' : 'reporting.inbox.none')}
        chosen={chosen}
        choose={choose}
        detailsTitle={row && personNames(row.person).filter(Boolean).join(' ')}
        details={
          query.isPending ? (
            <Loader size="sm" />
          ) : (
            row && (
              <>
                <Button mb="sm" onClick={() => navigate(`/reports/${row.report}`)}>
                  {t('reporting.inbox.open')}
                </Button>
                <PersonExams person={row.person.id} first={row.report} />
              </>
            )
          )
        }
      />
    </div>
  )
}
