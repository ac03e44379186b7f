import { Button, Group, Switch } from '@mantine/core'
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { Ask } from '../app/Ask'
import { moment } from '../app/format'
import type { Column } from '../app/Grid'
import { Dot, Facts, ListPage, Section } from '../app/ListPage'
import { WhoseStudy, whoseColumns } from '../archive/WhoseStudy'
import { usePeople } from '../department/model'

type ShareLink = components['schemas']['LinkWords']

export default function Links() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const called = usePeople()
  const [over, setOver] = useState(false)
  const [chosen, choose] = useState<string | null>(null)
  const [asking, setAsking] = useState(false)
  const query = useQuery({
    queryKey: ['links', over],
    queryFn: () => data(api.GET('/links', { params: { query: { open_only: !over } } })),
    placeholderData: keepPreviousData,
  })
  const rows = query.data?.links ?? []
  const one = rows.find((row) => row.name === chosen)
  const yes = (value: boolean) => t(value ? 'app.yes' : 'app.no')
  const columns = useMemo<Column<ShareLink>[]>(
    () => [
      { id: 'state', title: t('stewards.state'), width: 100, cell: (row) => <State of={row} /> },
      ...whoseColumns<ShareLink>(t, (row) => row.studies),
      { id: 'label', title: t('stewards.forWhom'), width: 220, cell: (row) => row.label },
      { id: 'made', title: t('stewards.madeAt'), width: 130, cell: (row) => moment(row.created_at) },
      { id: 'ends', title: t('stewards.ends'), width: 130, cell: (row) => moment(row.expires_at) },
      { id: 'uses', title: t('stewards.uses'), width: 70, end: true, cell: (row) => row.uses },
      { id: 'used', title: t('stewards.usedAt'), width: 130, cell: (row) => moment(row.used_at) },
    ],
    [t],
  )
  return (
    <>
      <ListPage
        title={t('stewards.myLinks')}
        name="links"
        found={query.data && t('stewards.found', { count: rows.length })}
        tools={<Switch label={t('stewards.withOver')} checked={over} onChange={(event) => setOver(event.currentTarget.checked)} />}
        columns={columns}
        rows={rows}
        rowId={(row) => row.name}
        query={query}
        empty={t('stewards.noLinks')}
        chosen={chosen}
        choose={choose}
        detailsTitle={one && (one.label || t('stewards.link'))}
        details={
          one && (
            <>
              {one.is_open && (
                <Group mb="sm">
                  <Button variant="light" color="red" onClick={() => setAsking(true)}>
                    {t('stewards.withdraw')}
                  </Button>
                </Group>
              )}
              <Facts
                facts={[
                  [t('stewards.state'), <State of={one} />],
                  [t('stewards.forWhom'), one.label],
                  [t('stewards.by'), called(one.created_by)],
                  [t('stewards.madeAt'), moment(one.created_at)],
                  [t('stewards.ends'), moment(one.expires_at)],
                  [t('stewards.withdrawnAt'), moment(one.revoked_at)],
                  [t('stewards.withPassword'), yes(one.has_password)],
                  [t('stewards.mayDownload'), yes(one.download)],
                  [t('stewards.uses'), one.uses],
                  [t('stewards.usedAt'), moment(one.used_at)],
                ]}
              />
              <Section title={t('stewards.study')}>
                <WhoseStudy studies={one.studies} uid={one.study_uid} />
              </Section>
            </>
          )
        }
      />
      {asking && one && (
        <Ask
          title={t('stewards.withdrawTitle')}
          text={t('stewards.withdrawText')}
          word={t('stewards.withdraw')}
          grave
          reason="none"
          close={() => setAsking(false)}
          act={async () => {
            await api.DELETE('/links/{name}', { params: { path: { name: one.name } } })
            if (!over) choose(null)
            await client.invalidateQueries({ queryKey: ['links'] })
          }}
        />
      )}
    </>
  )
}

function State({ of }: { of: ShareLink }) {
  const { t } = useTranslation()
  if (of.revoked_at) return <Dot how="idle">{t('stewards.withdrawn')}</Dot>
  return <Dot how={of.is_open ? 'good' : 'idle'}>{t(of.is_open ? 'stewards.open' : 'stewards.over')}</Dot>
}
