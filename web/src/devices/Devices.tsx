import { Button, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { IconPlugConnected, IconPlus, IconSearch } from '@tabler/icons-react'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { moment } from '../app/format'
import type { Column } from '../app/Grid'
import { Dot, ListPage } from '../app/ListPage'
import { DeviceDetails } from './DeviceDetails'
import { DeviceForm } from './DeviceForm'
import { useEcho } from './echo'
import { why } from '../app/reasons'

export type Device = components['schemas']['DeviceWords']

export default function Devices() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const query = useQuery({
    queryKey: ['devices'],
    queryFn: () => data(api.GET('/devices')),
    refetchInterval: 30_000,
  })
  const [chosen, choose] = useState<string | null>(null)
  const [search, setSearch] = useState('')
  const [editing, setEditing] = useState<'new' | Device | null>(null)
  const echo = useEcho()

  const all = query.data?.devices ?? []
  const wanted = search.trim().toLowerCase()
  const rows = wanted
    ? all.filter((one) => [one.ae_title, one.description, one.host, one.site].some((text) => text.toLowerCase().includes(wanted)))
    : all
  const device = all.find((one) => one.ae_title === chosen)

  const columns = useMemo<Column<Device>[]>(
    () => [
      { id: 'title', title: t('devices.aeTitle'), width: 150, cell: (row) => <b>{row.ae_title}</b> },
      { id: 'state', title: t('devices.answers'), width: 390, cell: (row) => <Answers device={row} waiting={echo.waiting.has(row.ae_title)} /> },
      { id: 'description', title: t('devices.description'), width: 180, cell: (row) => row.description },
      {
        id: 'address',
        title: t('devices.address'),
        width: 190,
        cell: (row) => (row.host ? `${row.host}:${row.port}${row.tls ? ' TLS' : ''}` : t('devices.callsOnly')),
      },
      { id: 'checked', title: t('devices.checked'), width: 130, cell: (row) => moment(row.checked_at) },
      { id: 'site', title: t('people.scope.site'), width: 100, cell: (row) => row.site },
      { id: 'department', title: t('people.scope.department'), width: 100, cell: (row) => row.department },
    ],
    [t, echo.waiting],
  )

  return (
    <>
      <ListPage
        title={t('devices.title')}
        name="devices"
        found={query.data && t('devices.found', { count: rows.length })}
        tools={
          <>
            <TextInput
              aria-label={t('app.actions.search')}
              placeholder={t('app.actions.search')}
              leftSection={<IconSearch size={14} />}
              value={search}
              onChange={(event) => setSearch(event.currentTarget.value)}
            />
            <Button leftSection={<IconPlus size={14} />} onClick={() => setEditing('new')}>
              {t('devices.add')}
            </Button>
            <Button
              variant="default"
              leftSection={<IconPlugConnected size={14} />}
              loading={echo.waiting.size > 0}
              disabled={!rows.some((one) => one.host && one.enabled)}
              onClick={() => void echo.ask(rows.filter((one) => one.host && one.enabled).map((one) => one.ae_title))}
            >
              {t('devices.checkAll')}
            </Button>
          </>
        }
        columns={columns}
        rows={rows}
        rowId={(row) => row.ae_title}
        query={query}
        empty={wanted ? t('devices.noneFound') : t('devices.none')}
        chosen={chosen}
        choose={choose}
        detailsTitle={device?.ae_title}
        details={
          device && (
            <DeviceDetails
              device={device}
              words={query.data!}
              waiting={echo.waiting.has(device.ae_title)}
              check={() => void echo.ask([device.ae_title])}
              edit={() => setEditing(device)}
              gone={() => choose(null)}
            />
          )
        }
      />
      {editing && query.data && (
        <DeviceForm
          device={editing === 'new' ? null : editing}
          words={query.data}
          close={() => setEditing(null)}
          done={(made) => {
            void client.invalidateQueries({ queryKey: ['devices'] })
            void client.invalidateQueries({ queryKey: ['device', made.ae_title] })
            choose(made.ae_title)
          }}
        />
      )}
    </>
  )
}

export function Answers({ device, waiting }: { device: Device; waiting: boolean }) {
  const { t } = useTranslation()
  if (waiting) return <Dot how="idle">{t('devices.asking')}</Dot>
  if (!device.enabled) return <Dot how="idle">{t('devices.disabled')}</Dot>
  if (!device.host) return <Dot how="idle">{t('devices.notAsked')}</Dot>
  if (device.check_ok === null) return <Dot how="idle">{t('devices.notYet')}</Dot>
  if (device.check_ok) return <Dot how="good">{t('devices.answersIn', { ms: device.check_ms })}</Dot>
  return (
    <span title={why(device.check_reason)}>
      <Dot how="bad">{why(device.check_reason)}</Dot>
    </span>
  )
}
