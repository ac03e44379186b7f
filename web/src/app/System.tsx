import { Button, Loader, Progress, Text } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { Ask } from './Ask'
import { ErrorNote, showError } from './errors'
import { bytes, count, listComma, moment } from './format'
import { Grid, type Column } from './Grid'
import { Dot, Facts } from './ListPage'
import { why } from './reasons'
import head from './ListPage.module.css'
import classes from './System.module.css'

type Whole = components['schemas']['System']
type Tested = components['schemas']['Tested']
type Association = components['schemas']['AssociationWords']

export default function System() {
  const { t } = useTranslation()
  const query = useQuery({ queryKey: ['system'], queryFn: () => data(api.GET('/system')), refetchInterval: 10_000 })
  return (
    <div className={classes.page}>
      <div className={head.head}>
        <h1 className={head.title}>{t('admin.sections.system')}</h1>
        {query.data && (
          <Text size="sm">
            <Dot how={query.data.ok ? 'good' : 'bad'}>{t(query.data.ok ? 'admin.system.ok' : 'admin.system.degraded')}</Dot>
          </Text>
        )}
        <span className={head.found}>
          {query.data && t('admin.system.since', { version: query.data.version, time: duration(query.data.uptime_seconds, t) })}
        </span>
      </div>
      <div className={classes.body}>
        {query.isError && <ErrorNote error={query.error} again={() => void query.refetch()} />}
        {query.isPending && <Loader size="sm" />}
        {query.data && <Cards of={query.data} />}
        {query.data && <Associations />}
      </div>
    </div>
  )
}

function duration(seconds: number, t: (key: string, values: Record<string, number>) => string): string {
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return t('admin.system.minutes', { count: minutes })
  if (minutes < 48 * 60) return t('admin.system.hours', { count: Math.floor(minutes / 60) })
  return t('admin.system.days', { count: Math.floor(minutes / 1440) })
}

function Cards({ of }: { of: Whole }) {
  const { t } = useTranslation()
  const part = (name: string) => of.parts.find((one) => one.name === name)
  const state = (name: string) => {
    const ok = part(name)?.ok ?? false
    return <Dot how={ok ? 'good' : 'bad'}>{t(ok ? 'admin.system.works' : 'admin.system.stands')}</Dot>
  }
  const figure = (name: string, key: string) => part(name)?.figures[key] ?? ''
  return (
    <div className={classes.cards}>
      {of.spaces.map((space, at) => (
        <section key={space.path} className={classes.card}>
          <h2 className={classes.name}>{t(at === 0 ? 'admin.system.store' : 'admin.system.home')}</h2>
          <div className={classes.figure}>{t('admin.system.free', { size: bytes(space.free) })}</div>
          <Progress
            my={8}
            size="sm"
            value={100 * (1 - space.free / space.size)}
            color={space.free < 0.05 * space.size ? 'red' : space.free < 0.15 * space.size ? 'yellow' : undefined}
            aria-label={t('admin.system.used')}
          />
          <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
            {t('admin.system.of', { size: bytes(space.size) })} · {space.path}
          </Text>
        </section>
      ))}
      <section className={classes.card}>
        <h2 className={classes.name}>{t('admin.system.archive')}</h2>
        <div className={classes.figure}>{t('admin.system.studies', { count: of.studies, number: count(of.studies) })}</div>
        <Facts
          facts={[
            [t('admin.system.series'), count(of.series)],
            [t('admin.system.objects'), count(of.instances)],
          ]}
        />
      </section>
      <section className={classes.card}>
        <h2 className={classes.name}>{t('admin.system.database')}</h2>
        <div className={classes.figure}>{of.database === 'sqlite' ? 'SQLite' : 'PostgreSQL'}</div>
        <Facts
          facts={[
            [t('stewards.state'), state('database')],
            [t('admin.system.size'), bytes(of.database_bytes)],
          ]}
        />
      </section>
      <section className={classes.card}>
        <h2 className={classes.name}>DICOM</h2>
        <div className={classes.figure}>{of.ae_title}</div>
        <Facts
          facts={[
            [t('stewards.state'), state('dicom')],
            [t('devices.port'), figure('dicom', 'port')],
            [t('admin.system.tlsPort'), figure('dicom', 'tls_port')],
            [t('admin.system.certificate'), moment(of.certificate_ends_at)],
          ]}
        />
      </section>
      <section className={classes.card}>
        <h2 className={classes.name}>{t('admin.system.processes')}</h2>
        <Facts
          facts={[
            [t('admin.system.web'), state('web')],
            [t('admin.system.restarts'), figure('web', 'restarts')],
            [t('admin.system.worker'), state('worker')],
            [t('admin.system.restarts'), figure('worker', 'restarts')],
          ]}
        />
      </section>
      <Told by={of.alarms_told_by} />
    </div>
  )
}

/** How those in charge are told of alarms besides their screens, and whether that works. */
function Told({ by }: { by: Whole['alarms_told_by'] }) {
  const { t } = useTranslation()
  const [busy, setBusy] = useState(false)
  const [tested, setTested] = useState<Tested[] | null>(null)
  const test = async () => {
    setBusy(true)
    try {
      setTested((await data(api.POST('/system/alarms/test'))).tested)
    } catch (error) {
      showError(error)
    } finally {
      setBusy(false)
    }
  }
  return (
    <section className={classes.card}>
      <h2 className={classes.name}>{t('admin.told.title')}</h2>
      <div className={classes.figure}>
        {by.length > 0 ? by.map((one) => t(`admin.told.${one}`)).join(listComma()) : t('admin.told.screens')}
      </div>
      {by.length === 0 ? (
        <Text size="xs" c="dimmed">
          {t('admin.told.how')}
        </Text>
      ) : (
        <Button size="compact-xs" variant="default" mt={4} loading={busy} onClick={() => void test()}>
          {t('admin.told.test')}
        </Button>
      )}
      <div role="status">
        {tested?.map((one) => (
          <Text size="xs" mt={4} key={one.channel} style={{ overflowWrap: 'anywhere' }}>
            <Dot how={one.reason ? 'bad' : 'good'}>
              {why(one.reason) || `${t(`admin.told.${one.channel}`)} · ${t('admin.told.sent')}`}
            </Dot>
          </Text>
        ))}
      </div>
    </section>
  )
}

function Associations() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [aborting, setAborting] = useState<Association | null>(null)
  const query = useQuery({
    queryKey: ['associations'],
    queryFn: () => data(api.GET('/system/associations')),
    refetchInterval: 5_000,
  })
  const columns = useMemo<Column<Association>[]>(
    () => [
      { id: 'calling', title: t('admin.system.calling'), width: 150, cell: (row) => <b>{row.calling_ae}</b> },
      { id: 'host', title: t('devices.host'), width: 160, cell: (row) => `${row.host}${row.tls ? ' TLS' : ''}` },
      { id: 'since', title: t('admin.system.began'), width: 130, cell: (row) => moment(row.started_at) },
      { id: 'in', title: t('admin.system.in'), width: 80, end: true, cell: (row) => count(row.images_in) },
      { id: 'out', title: t('admin.system.out'), width: 80, end: true, cell: (row) => count(row.images_out) },
      { id: 'program', title: t('admin.system.program'), width: 200, cell: (row) => row.implementation },
      {
        id: 'abort',
        title: '',
        width: 90,
        cell: (row) => (
          <Button size="compact-xs" variant="light" color="red" onClick={() => setAborting(row)}>
            {t('admin.system.abort')}
          </Button>
        ),
      },
    ],
    [t],
  )
  const rows = query.data?.associations ?? []
  return (
    <>
      <h2 className={classes.heading}>
        {t('admin.system.associations')} {rows.length > 0 && `(${rows.length})`}
      </h2>
      <div className={classes.table}>
        <Grid
          label={t('admin.system.associations')}
          columns={columns}
          rows={rows}
          rowId={(row) => row.id}
          empty={query.isPending ? <Loader size="sm" /> : t('admin.system.noAssociations')}
        />
      </div>
      {aborting && (
        <Ask
          title={t('admin.system.abortTitle', { name: aborting.calling_ae })}
          text={t('admin.system.abortText')}
          word={t('admin.system.abort')}
          grave
          close={() => setAborting(null)}
          act={async (reason) => {
            await api.POST('/system/associations/{id}/abort', { params: { path: { id: aborting.id } }, body: { reason } })
            await client.invalidateQueries({ queryKey: ['associations'] })
          }}
        />
      )}
    </>
  )
}
