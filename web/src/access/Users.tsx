import { Button, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { IconPlus, IconSearch } from '@tabler/icons-react'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { listComma, moment } from '../app/format'
import type { Column } from '../app/Grid'
import { Dot, ListPage } from '../app/ListPage'
import { roleName } from './scopes'
import { useMay } from './session'
import { UserDetails } from './UserDetails'
import { NewUser, Told } from './UserForms'

export type User = components['schemas']['User']

export function useRoles() {
  const query = useQuery({ queryKey: ['roles'], queryFn: () => data(api.GET('/roles')), staleTime: Infinity })
  return query.data?.roles ?? []
}

export default function Users() {
  const { t } = useTranslation()
  const may = useMay()
  const client = useQueryClient()
  const [search, setSearch] = useState('')
  const [wanted] = useDebouncedValue(search.trim(), 250)
  const [chosen, choose] = useState<string | null>(null)
  const [adding, setAdding] = useState(false)
  const [told, setTold] = useState<{ name: string; password: string } | null>(null)
  const query = useInfiniteQuery({
    queryKey: ['users', wanted],
    initialPageParam: '',
    queryFn: ({ pageParam }) =>
      data(api.GET('/users', { params: { query: { search: wanted, after: pageParam, limit: 100 } } })),
    getNextPageParam: (page) => page.next || undefined,
    placeholderData: (before) => before,
  })
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.users) ?? [], [query.data])
  const user = rows.find((one) => one.name === chosen)

  const columns = useMemo<Column<User>[]>(
    () => [
      { id: 'name', title: t('people.name'), width: 140, cell: (row) => <b>{row.name}</b> },
      { id: 'displayName', title: t('people.displayName'), width: 170, cell: (row) => row.display_name },
      { id: 'state', title: t('people.state'), width: 200, cell: (row) => <State user={row} /> },
      {
        id: 'roles',
        title: t('people.roles'),
        width: 300,
        cell: (row) => [...new Set(row.grants.filter((one) => one.in_force).map(roleName))].join(listComma()),
      },
      { id: 'factor', title: t('people.factor'), width: 100, cell: (row) => t(row.has_second_factor ? 'app.yes' : 'app.no') },
      { id: 'signedIn', title: t('people.signedIn'), width: 130, cell: (row) => moment(row.signed_in_at) || t('people.never') },
    ],
    [t],
  )

  return (
    <>
      <ListPage
        title={t('people.title')}
        name="users"
        found={query.data && t('people.found', { count: rows.length }) + (query.hasNextPage ? '+' : '')}
        tools={
          <>
            <TextInput
              aria-label={t('app.actions.search')}
              placeholder={t('app.actions.search')}
              leftSection={<IconSearch size={14} />}
              value={search}
              onChange={(event) => setSearch(event.currentTarget.value)}
            />
            {may('users') && (
              <Button leftSection={<IconPlus size={14} />} onClick={() => setAdding(true)}>
                {t('people.add')}
              </Button>
            )}
          </>
        }
        columns={columns}
        rows={rows}
        rowId={(row) => row.name}
        query={query}
        empty={t('people.none')}
        chosen={chosen}
        choose={choose}
        onEnd={() => query.hasNextPage && !query.isFetching && void query.fetchNextPage()}
        detailsTitle={user && (user.display_name || user.name)}
        details={user && <UserDetails key={user.name} user={user} tell={setTold} />}
      />
      {adding && (
        <NewUser
          close={() => setAdding(false)}
          done={(name, password) => {
            void client.invalidateQueries({ queryKey: ['users'] })
            choose(name)
            if (password) setTold({ name, password })
          }}
        />
      )}
      {told && <Told name={told.name} secret={told.password} close={() => setTold(null)} />}
    </>
  )
}

export function State({ user }: { user: User }) {
  const { t } = useTranslation()
  if (!user.enabled) return <Dot how="idle">{t('people.disabled')}</Dot>
  if (user.locked) return <Dot how="bad">{t('people.locked')}</Dot>
  if (user.must_change_password) return <Dot how="warn">{t('people.mustChange')}</Dot>
  return <Dot how="good">{t('people.enabled')}</Dot>
}
