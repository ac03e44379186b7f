import { Anchor, Button, Group, Switch } from '@mantine/core'
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { useMay } from '../access/session'
import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { Ask } from '../app/Ask'
import { moment } from '../app/format'
import type { Column } from '../app/Grid'
import { Dot, Facts, ListPage } from '../app/ListPage'

type Rejection = components['schemas']['RejectionWords']

export default function Rejections() {
  const { t } = useTranslation()
  const may = useMay()
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
      { id: 'code', title: t('archive.reject.why'), width: 230, cell: (row) => t(`archive.reject.code_${row.code}`) },
      { id: 'objects', title: t('stewards.objectsTitle'), width: 76, end: true, cell: (row) => row.objects },
      { id: 'by', title: t('stewards.by'), width: 84, cell: (row) => row.by },
      { id: 'reason', title: t('stewards.reason'), width: 260, cell: (row) => row.reason },
      { id: 'study', title: t('stewards.studyUid'), width: 320, cell: (row) => row.study_uid },
    ],
    [t],
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
                  [t('stewards.reason'), one.reason],
                  [t('stewards.by'), one.by],
                  [t('stewards.rejectedAt'), moment(one.at)],
                  [t('stewards.objectsTitle'), one.objects],
                  [
                    t('stewards.studyUid'),
                    <Anchor key="study" component={Link} href={`/view/${one.study_uid}`} size="sm">
                      {one.study_uid}
                    </Anchor>,
                  ],
                  [t('stewards.noteUid'), one.note_uid],
                  [t('stewards.revokedAt'), moment(one.revoked_at)],
                  [t('stewards.revokedBy'), one.revoked_by],
                  [t('stewards.revokeReason'), one.revoke_reason],
                ]}
              />
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
