import { Button, Group, Switch } from '@mantine/core'
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useMay } from '../access/session'
import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { Ask } from '../app/Ask'
import { moment } from '../app/format'
import type { Column } from '../app/Grid'
import { Dot, Facts, ListPage, Section } from '../app/ListPage'
import { asSaid, asTyped } from '../app/reasons'
import { usePeople } from '../department/model'
import { WhoseStudy, whoseColumns } from './WhoseStudy'

type Rejection = components['schemas']['RejectionWords']

const studiesOf = (row: Rejection) => (row.study ? [row.study] : [])
/** What the server rejects by itself, it says in its own words. */
const reasonOf = (row: Rejection) => (row.by === 'filmless' ? asSaid(row.reason) : asTyped(row.reason))

export default function Rejections() {
  const { t } = useTranslation()
  const may = useMay()
  const called = usePeople()
  const client = useQueryClient()
  const [revoked, setRevoked] = useState(false)
  const [chosen, choose] = useState<string | null>(null)
  const [asking, setAsking] = useState(false)
  const [limit, setLimit] = useState(100)
  const query = useQuery({
    queryKey: ['rejections', revoked, limit],
    queryFn: () => data(api.GET('/rejections', { params: { query: { revoked, limit } } })),
    placeholderData: keepPreviousData,
  })
  const rows = query.data?.rejections ?? []
  const one = rows.find((row) => row.note_uid === chosen)
  const columns = useMemo<Column<Rejection>[]>(
    () => [
      { id: 'state', title: t('stewards.state'), width: 92, cell: (row) => <State of={row} /> },
      { id: 'at', title: t('stewards.rejectedAt'), width: 130, cell: (row) => moment(row.at) },
      ...whoseColumns(t, studiesOf),
      { id: 'code', title: t('archive.reject.why'), width: 200, cell: (row) => t(`archive.reject.code_${row.code}`) },
      { id: 'by', title: t('stewards.by'), width: 110, cell: (row) => called(row.by) },
      { id: 'reason', title: t('stewards.reason'), width: 260, cell: reasonOf },
      { id: 'objects', title: t('stewards.objectsTitle'), width: 76, end: true, cell: (row) => row.objects },
    ],
    [t, called],
  )
  return (
    <>
      <ListPage
        title={t('admin.sections.rejections')}
        name="rejections"
        found={query.data && t('stewards.found', { count: rows.length }) + (query.data.more ? '+' : '')}
        tools={
          <Switch label={t('stewards.withRevoked')} checked={revoked} onChange={(event) => setRevoked(event.currentTarget.checked)} />
        }
        columns={columns}
        rows={rows}
        rowId={(row) => row.note_uid}
        query={query}
        empty={t('stewards.noRejections')}
        chosen={chosen}
        choose={choose}
        onEnd={() => query.data?.more && !query.isFetching && limit < 500 && setLimit(500)}
        detailsTitle={one && t(`archive.reject.code_${one.code}`)}
        details={
          one && (
            <>
              {!one.revoked_at && may('revoke') && (
                <Group mb="sm">
                  <Button onClick={() => setAsking(true)}>{t('stewards.revoke')}</Button>
                </Group>
              )}
              <Facts
                facts={[
                  [t('stewards.state'), <State of={one} />],
                  [t('stewards.reason'), reasonOf(one)],
                  [t('stewards.by'), called(one.by)],
                  [t('stewards.rejectedAt'), moment(one.at)],
                  [t('stewards.objectsTitle'), one.objects],
                  [t('stewards.noteUid'), one.note_uid],
                  [t('stewards.revokedAt'), moment(one.revoked_at)],
                  [t('stewards.revokedBy'), called(one.revoked_by)],
                  [t('stewards.revokeReason'), asTyped(one.revoke_reason)],
                ]}
              />
              <Section title={t('stewards.study')}>
                <WhoseStudy studies={studiesOf(one)} uid={one.study_uid} />
              </Section>
            </>
          )
        }
      />
      {asking && one && (
        <Ask
          title={t('stewards.revokeTitle')}
          text={t('stewards.revokeText', { count: one.objects })}
          word={t('stewards.revoke')}
          close={() => setAsking(false)}
          act={async (reason) => {
            await api.POST('/rejections/{note_uid}/revoke', { params: { path: { note_uid: one.note_uid } }, body: { reason } })
            if (!revoked) choose(null)
            await client.invalidateQueries({ queryKey: ['rejections'] })
            void client.invalidateQueries({ queryKey: ['studies'] })
          }}
        />
      )}
    </>
  )
}

function State({ of }: { of: Rejection }) {
  const { t } = useTranslation()
  return <Dot how={of.revoked_at ? 'idle' : 'warn'}>{t(of.revoked_at ? 'stewards.isRevoked' : 'stewards.inForce')}</Dot>
}
