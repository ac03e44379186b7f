import { Anchor, Button, Group, Switch } from '@mantine/core'
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { Ask } from '../app/Ask'
import { moment } from '../app/format'
import type { Column } from '../app/Grid'
import { Dot, Facts, ListPage, Section } from '../app/ListPage'
import { asTyped } from '../app/reasons'
import { usePeople } from '../department/model'

type Correction = components['schemas']['CorrectionWords']

export default function Corrections() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const called = usePeople()
  const [undone, setUndone] = useState(false)
  const [limit, setLimit] = useState(100)
  const [chosen, choose] = useState<string | null>(null)
  const [asking, setAsking] = useState(false)
  const query = useQuery({
    queryKey: ['corrections', undone, limit],
    queryFn: () => data(api.GET('/corrections', { params: { query: { undone, limit } } })),
    placeholderData: keepPreviousData,
  })
  const rows = query.data?.corrections ?? []
  const one = rows.find((row) => row.key === chosen)
  const about = (row: Correction) => [row.patient_id, row.issuer].filter(Boolean).join(' · ') || row.study_uid
  const columns = useMemo<Column<Correction>[]>(
    () => [
      { id: 'state', title: t('stewards.state'), width: 100, cell: (row) => <State of={row} /> },
      { id: 'at', title: t('stewards.madeAt'), width: 130, cell: (row) => moment(row.at) },
      { id: 'level', title: t('stewards.level'), width: 90, cell: (row) => t(`stewards.levels.${row.level}`) },
      { id: 'about', title: t('stewards.about'), width: 200, cell: about },
      {
        id: 'changes',
        title: t('stewards.changes'),
        width: 300,
        cell: (row) => row.changes.map((each) => `${each.keyword || each.tag}${each.removed ? ' ✕' : ` = ${each.new}`}`).join(', '),
      },
      { id: 'by', title: t('stewards.by'), width: 120, cell: (row) => called(row.by) },
      { id: 'reason', title: t('stewards.reason'), width: 260, cell: (row) => row.reason },
    ],
    [t, called],
  )
  return (
    <>
      <ListPage
        title={t('admin.sections.corrections')}
        name="corrections"
        found={query.data && t('stewards.found', { count: rows.length }) + (query.data.more ? '+' : '')}
        tools={<Switch label={t('stewards.withUndone')} checked={undone} onChange={(event) => setUndone(event.currentTarget.checked)} />}
        columns={columns}
        rows={rows}
        rowId={(row) => row.key}
        query={query}
        empty={t('stewards.noCorrections')}
        chosen={chosen}
        choose={choose}
        onEnd={() => query.data?.more && !query.isFetching && limit < 1000 && setLimit(1000)}
        detailsTitle={one && t(`stewards.corrected.${one.level}`)}
        details={
          one && (
            <>
              {!one.undone_at && (
                <Group mb="sm">
                  <Button variant="default" onClick={() => setAsking(true)}>
                    {t('stewards.undo')}
                  </Button>
                </Group>
              )}
              <Facts
                facts={[
                  [t('stewards.state'), <State of={one} />],
                  [t('stewards.level'), t(`stewards.levels.${one.level}`)],
                  [t('stewards.reason'), one.reason],
                  [t('stewards.by'), called(one.by)],
                  [t('stewards.madeAt'), moment(one.at)],
                  [t('archive.column.patientId'), one.patient_id],
                  [t('stewards.content.issuer'), one.issuer],
                  [
                    t('stewards.studyUid'),
                    one.study_uid && (
                      <Anchor component={Link} href={`/view/${one.study_uid}`} size="sm">
                        {one.study_uid}
                      </Anchor>
                    ),
                  ],
                  [t('stewards.seriesUid'), one.series_uid],
                  [t('stewards.objectUid'), one.sop_instance_uid],
                  [t('stewards.undoneAt'), moment(one.undone_at)],
                  [t('stewards.undoneBy'), called(one.undone_by)],
                  [t('stewards.undoReason'), asTyped(one.undo_reason)],
                ]}
              />
              <Section title={t('stewards.changes')}>
                <Facts
                  facts={one.changes.map((each) => [
                    each.keyword || each.tag,
                    each.removed ? t('stewards.removed') : each.new || t('stewards.emptied'),
                  ])}
                />
              </Section>
            </>
          )
        }
      />
      {asking && one && (
        <Ask
          title={t('stewards.undoTitle')}
          text={t('stewards.undoText')}
          word={t('stewards.undo')}
          close={() => setAsking(false)}
          act={async (reason) => {
            await api.POST('/corrections/{key}/undo', { params: { path: { key: one.key } }, body: { reason } })
            if (!undone) choose(null)
            await client.invalidateQueries({ queryKey: ['corrections'] })
            void client.invalidateQueries({ queryKey: ['studies'] })
          }}
        />
      )}
    </>
  )
}

function State({ of }: { of: Correction }) {
  const { t } = useTranslation()
  return <Dot how={of.undone_at ? 'idle' : 'good'}>{t(of.undone_at ? 'stewards.isUndone' : 'stewards.inForce')}</Dot>
}
