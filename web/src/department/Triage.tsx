/** The triage board: who waits where; call, pass over, let in, move to another station. */
import { Button, Menu, MultiSelect, Text } from '@mantine/core'
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { IconArrowsExchange, IconDots, IconShieldCheck } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'

import { useMay } from '../access/session'
import { api, data } from '../api/client'
import { ErrorNote, showError } from '../app/errors'
import { clockOf } from '../app/format'
import { usePreference } from '../app/preferences'
import { useShortcuts } from '../app/shortcuts'
import desk from './Department.module.css'
import { GreenButton, GreenChannel } from './GreenChannel'
import { ageOf, findExams, nameOf, stationOptions, type Exam, type Station, type Waiting } from './model'
import { AskSafety, SafetyBadge } from './Safety'
import { Named, Procedure, Stat } from './State'
import classes from './Triage.module.css'

type Act = 'call' | 'pass' | 'return' | 'enter'

export default function Triage() {
  const { t } = useTranslation()
  const may = useMay()
  const client = useQueryClient()
  const [chosen, setChosen] = usePreference<string[]>('queue.stations', [])
  const [green, setGreen] = useState(false)
  const [busy, setBusy] = useState(0)
  const [asked, ask] = useState<Exam | null>(null)
  const queue = useQuery({
    queryKey: ['queue'],
    queryFn: () => data(api.POST('/queue', { body: { limit: 1000, stations: [] } })),
    placeholderData: keepPreviousData,
    refetchInterval: 5_000,
  })
  const stations = useQuery({ queryKey: ['stations', 'list'], queryFn: () => data(api.GET('/stations')), staleTime: 30_000 })
  const arrived = useQuery({
    queryKey: ['exams', 'without-station'],
    queryFn: () => findExams({ states: ['E30'] }),
    refetchInterval: 5_000,
  })

  const refresh = () => {
    void client.invalidateQueries({ queryKey: ['queue'] })
    void client.invalidateQueries({ queryKey: ['exams'] })
    void client.invalidateQueries({ queryKey: ['exam'] })
  }
  const run = async (id: number, work: () => Promise<unknown>) => {
    setBusy(id)
    try {
      await work()
    } catch (error) {
      showError(error)
    } finally {
      refresh()
      setBusy(0)
    }
  }
  const act = (one: Waiting, what: Act) => run(one.id, () => api.POST('/queue/{number}', { params: { path: { number: one.id } }, body: { what } }))
  const move = (exam: { id: number; changes: number }, station: string) =>
    run(exam.id, () => api.POST('/exams/{exam}/move', { params: { path: { exam: exam.id } }, body: { station, seen: exam.changes } }))

  useShortcuts(t('department.queue.title'), [
    { keys: 'g', words: t('department.green.title'), run: () => may('green-channel') && setGreen(true) },
    { keys: 'r', words: t('app.actions.refresh'), run: refresh },
  ])

  const all = stations.data?.stations ?? []
  const waiting = queue.data?.waiting ?? []
  const shown = all.filter((one) => (chosen.length ? chosen.includes(one.code) : waiting.some((ticket) => ticket.station === one.code) || one.modality !== ''))
  const homeless = (arrived.data?.exams ?? []).filter((one) => !one.exam.station)

  return (
    <div className={desk.page}>
      <div className={desk.tools}>
        <h1 className={desk.title} style={{ fontSize: '0.9375rem', marginRight: '0.5rem' }}>
          {t('department.queue.title')}
        </h1>
        <Text size="xs" c="dimmed">
          {t('department.queue.count', { count: waiting.filter((one) => one.status !== 'in-room').length })}
        </Text>
        <MultiSelect
          w={220}
          aria-label={t('department.station')}
          placeholder={chosen.length ? '' : t('department.queue.allStations')}
          data={stationOptions(all)}
          value={chosen}
          onChange={setChosen}
          clearable
        />
        {may('green-channel') && (
          <div className={desk.end}>
            <GreenButton ask={() => setGreen(true)} done={refresh} />
          </div>
        )}
      </div>
      {queue.isError ? (
        <div style={{ padding: '0.75rem' }}>
          <ErrorNote error={queue.error} again={() => void queue.refetch()} />
        </div>
      ) : (
        <div className={classes.board}>
          {homeless.length > 0 && (
            <section className={classes.column} aria-label={t('department.queue.noStation')}>
              <h2 className={classes.title}>
                {t('department.queue.noStation')} <span>{homeless.length}</span>
              </h2>
              {homeless.map((row) => (
                <article key={row.exam.id} className={classes.ticket}>
                  <div className={classes.who}>
                    <Stat exam={row.exam} />
                    <Named row={row} /> <span className={desk.dim}>{[row.sex && t(`department.sex.${row.sex as 'M'}`), ageOf(row.birth_date)].filter(Boolean).join(' ')}</span>
                  </div>
                  <div className={classes.what}>
                    <Procedure exam={row.exam} />
                  </div>
                  <div className={classes.acts}>
                    <To exam={row.exam} stations={all} move={(station) => void move(row.exam, station)} word={t('department.queue.assign')} />
                  </div>
                </article>
              ))}
            </section>
          )}
          {shown.map((station) => (
            <Column
              key={station.code}
              station={station}
              stations={all}
              waiting={waiting.filter((one) => one.station === station.code)}
              busy={busy}
              act={(one, what) => void act(one, what)}
              move={(one, to) => void move(one.exam, to)}
              ask={ask}
            />
          ))}
          {stations.isSuccess && all.length === 0 && (
            <Text size="sm" c="dimmed" p="md">
              {t('department.booking.noStations')}
            </Text>
          )}
        </div>
      )}
      {asked && <AskSafety exam={asked} close={() => ask(null)} done={refresh} />}
      {green && <GreenChannel close={() => setGreen(false)} done={refresh} />}
    </div>
  )
}

interface ColumnProps {
  station: Station
  stations: Station[]
  waiting: Waiting[]
  busy: number
  act: (one: Waiting, what: Act) => void
  move: (one: Waiting, station: string) => void
  ask: (exam: Exam) => void
}

function Column({ station, stations, waiting, busy, act, move, ask }: ColumnProps) {
  const { t } = useTranslation()
  const [, navigate] = useLocation()
  const inside = waiting.filter((one) => one.status === 'in-room')
  const skipped = waiting.filter((one) => one.status === 'skipped')
  const queued = waiting.filter((one) => one.status === 'waiting' || one.status === 'called')
  const next = queued.find((one) => one.status === 'waiting')
  return (
    <section className={classes.column} aria-label={`${station.code} ${nameOf(station)}`}>
      <h2 className={classes.title}>
        {station.code} <small>{nameOf(station)}</small> <span>{queued.length}</span>
      </h2>
      <Button variant="default" fullWidth disabled={!next || busy !== 0} onClick={() => next && act(next, 'call')}>
        {t('department.queue.next')}
      </Button>
      {[...inside, ...queued, ...skipped].map((one) => (
        <article key={one.id} className={classes.ticket} data-status={one.status}>
          <div className={classes.who}>
            <span className={classes.place}>{one.number}</span>
            <Stat exam={one.exam} />
            <button type="button" onClick={() => navigate(`/exams/${one.exam.id}`)}>
              <Named row={one} />
            </button>{' '}
            <span className={desk.dim}>{[one.sex && t(`department.sex.${one.sex as 'M'}`), ageOf(one.birth_date)].filter(Boolean).join(' ')}</span>
          </div>
          <div className={classes.what}>
            <span>
              <Procedure exam={one.exam} />
            </span>
            <span className={classes.since}>{t('department.queue.since', { time: clockOf(one.made_at) })}</span>
            <SafetyBadge exam={one.exam} />
          </div>
          {one.status !== 'waiting' && (
            <div className={classes.status}>
              {t(`department.queue.status.${one.status}`)}
              {one.status === 'called' && one.called_at && ` ${clockOf(one.called_at)} · ${t('department.queue.calls', { count: one.calls })}`}
            </div>
          )}
          {one.status !== 'in-room' && (
            <div className={classes.acts}>
              <Button size="compact-xs" variant={one.status === 'waiting' ? 'light' : 'default'} disabled={busy !== 0} onClick={() => act(one, 'call')}>
                {t(one.calls ? 'department.queue.callAgain' : 'department.queue.call')}
              </Button>
              {one.status === 'called' && (
                <Button size="compact-xs" disabled={busy !== 0} onClick={() => act(one, 'enter')}>
                  {t('department.queue.enter')}
                </Button>
              )}
              {one.status === 'skipped' ? (
                <Button size="compact-xs" variant="default" disabled={busy !== 0} onClick={() => act(one, 'return')}>
                  {t('department.queue.return')}
                </Button>
              ) : (
                one.calls > 0 && (
                  <Button size="compact-xs" variant="default" disabled={busy !== 0} onClick={() => act(one, 'pass')}>
                    {t('department.queue.pass')}
                  </Button>
                )
              )}
              <Button size="compact-xs" variant="default" ml="auto" aria-label={t('safety.title')} title={t('safety.title')} onClick={() => ask(one.exam)}>
                <IconShieldCheck size={14} />
              </Button>
              <To exam={one.exam} stations={stations} move={(to) => move(one, to)} />
            </div>
          )}
        </article>
      ))}
      {waiting.length === 0 && (
        <Text size="xs" c="dimmed" ta="center" mt="sm">
          {t('department.queue.empty')}
        </Text>
      )}
    </section>
  )
}

function To({ exam, stations, move, word }: { exam: Waiting['exam']; stations: Station[]; move: (station: string) => void; word?: string }) {
  const { t } = useTranslation()
  const others = stations.filter((one) => one.modality === exam.modality && one.code !== exam.station)
  if (others.length === 0) return null
  return (
    <Menu position="bottom-end" shadow="md">
      <Menu.Target>
        <Button size="compact-xs" variant="default" aria-label={t('department.act.move')} rightSection={word ? <IconDots size={12} /> : undefined}>
          {word ?? <IconArrowsExchange size={14} />}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{t('department.act.move')}</Menu.Label>
        {others.map((one) => (
          <Menu.Item key={one.code} onClick={() => move(one.code)}>
            {one.code} · {nameOf(one)}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}
