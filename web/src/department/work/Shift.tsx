/** The end of a shift: what was done, what is left to do, and the hand-over. */
import { Anchor, Button, Loader, MultiSelect, TextInput } from '@mantine/core'
import { DateTimePicker } from '@mantine/dates'
import { notifications } from '@mantine/notifications'
import { IconArrowLeft } from '@tabler/icons-react'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { api, data } from '../../api/client'
import { ErrorNote, showError } from '../../app/errors'
import { count, moment } from '../../app/format'
import { usePreference } from '../../app/preferences'
import { stationOptions } from '../model'
import { Named, Procedure, Stat } from '../State'
import { kindOf, sinceOf, type Row, type Task } from './model'
import { Images } from './Progress'
import { TaskBody } from './TaskBody'
import classes from './Work.module.css'

const PARTS = ['unsent', 'unverified', 'running', 'waiting', 'discontinued'] as const
const OPEN = ['running', 'unsent', 'unverified'] as const
const HOURS = 8

/** The shift that ends about now: of eight hours from 0:00, 8:00 and 16:00. */
function nowadays(): [Date, Date] {
  const begins = new Date()
  const hour = begins.getHours()
  // in the first two hours of a shift the one before is handed over
  const first = Math.floor((hour - 2) / HOURS) * HOURS
  begins.setHours(first, 0, 0, 0)
  return [begins, new Date(begins.valueOf() + HOURS * 3_600_000)]
}

export default function Shift() {
  const { t } = useTranslation()
  const [[begins, ends], setRange] = useState(nowadays)
  const [stations, setStations] = usePreference<string[]>('work.stations', [])
  const [note, setNote] = useState('')
  const [busy, setBusy] = useState(false)
  const known = useQuery({ queryKey: ['stations'], queryFn: () => data(api.GET('/stations')), staleTime: 60_000 })
  const body = { begins: begins.toISOString(), ends: ends.toISOString(), stations, modalities: [] }
  const query = useQuery({
    queryKey: ['work', 'shift', body],
    queryFn: () => data(api.POST('/technologist/shift', { body })),
    placeholderData: keepPreviousData,
    enabled: begins < ends,
    refetchInterval: 30_000,
  })
  const found = query.data
  // what is not finished is handed over with a reason only
  const open = found ? OPEN.some((part) => found[part].length > 0) : false
  const left = found ? PARTS.reduce((sum, part) => sum + found[part].length, found.tasks.length) : 0

  const handOver = async () => {
    setBusy(true)
    try {
      await data(api.POST('/technologist/shift/end', { body: { ...body, note: note.trim() } }))
      notifications.show({ message: t('work.shift.handedOver') })
      setNote('')
    } catch (error) {
      showError(error)
    } finally {
      setBusy(false)
    }
  }

  return (
    <div className={classes.sheet}>
      <div className={classes.sheetInner}>
        <Anchor component={Link} href="/work" size="xs">
          <IconArrowLeft size={12} aria-hidden /> {t('work.title')}
        </Anchor>
        <div className={classes.range}>
          <h1 className={classes.name} style={{ marginRight: 'auto' }}>
            {t('work.shift.title')}
          </h1>
          <DateTimePicker size="xs" label={t('work.shift.from')} valueFormat="YYYY-MM-DD HH:mm" value={begins} onChange={(value) => value && setRange([new Date(value), ends])} />
          <DateTimePicker size="xs" label={t('work.shift.to')} valueFormat="YYYY-MM-DD HH:mm" value={ends} onChange={(value) => value && setRange([begins, new Date(value)])} />
          <MultiSelect className={classes.stations} label={t('work.stations')} data={stationOptions(known.data?.stations ?? [])} value={stations} onChange={setStations} clearable />
        </div>
        {query.isError && <ErrorNote error={query.error} again={() => void query.refetch()} />}
        {!found && query.isPending && <Loader size="sm" mt="md" />}
        {found && (
          <>
            <dl className={classes.numbers}>
              {(['registered', 'examined', 'verified', 'images'] as const).map((one) => (
                <div key={one} className={classes.number}>
                  <dt>{t(`work.shift.${one}`)}</dt>
                  <dd>{count(found[one])}</dd>
                </div>
              ))}
            </dl>
            {left === 0 && <p className={classes.clear}>{t('work.shift.clear')}</p>}
            {PARTS.map((part) => (
              <Part key={part} title={t(`work.shift.sections.${part}`)} rows={found[part]} />
            ))}
            <Tasks title={t('work.shift.sections.tasks')} tasks={found.tasks} />
            <div className={classes.hand}>
              <TextInput
                label={t('work.shift.note')}
                description={open ? t('work.shift.sayWhy', { count: left }) : left > 0 ? t('work.shift.leftOver', { count: left }) : undefined}
                required={open}
                maxLength={400}
                value={note}
                onChange={(event) => setNote(event.currentTarget.value)}
              />
              <Button loading={busy} disabled={open && !note.trim()} onClick={() => void handOver()}>
                {t('work.shift.handOver')}
              </Button>
            </div>
          </>
        )}
      </div>
    </div>
  )
}

function ToExam({ id, number }: { id: number; number: string }) {
  const { t } = useTranslation()
  return (
    <Anchor component={Link} href={`/exams/${id}`} size="sm">
      {number || t('department.noNumber')}
    </Anchor>
  )
}

function Part({ title, rows }: { title: string; rows: Row[] }) {
  if (rows.length === 0) return null
  return (
    <section className={classes.part}>
      <h2 className={classes.partTitle}>
        {title} <span className={classes.count}>{rows.length}</span>
      </h2>
      <ul className={classes.lines}>
        {rows.map((row) => (
          <li key={row.listed.exam.id} className={classes.line}>
            <span>
              <Stat exam={row.listed.exam} />
              <ToExam id={row.listed.exam.id} number={row.listed.exam.number} />
            </span>
            <span>
              <Named row={row.listed} />
            </span>
            <span>
              <Procedure exam={row.listed.exam} /> <span className={classes.dim}>{row.listed.exam.station}</span>
            </span>
            <Images row={row} />
            <span className={classes.dim}>{moment(sinceOf(row))}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}

function Tasks({ title, tasks }: { title: string; tasks: Task[] }) {
  const { t } = useTranslation()
  if (tasks.length === 0) return null
  return (
    <section className={classes.part}>
      <h2 className={classes.partTitle}>
        {title} <span className={classes.count}>{tasks.length}</span>
      </h2>
      <ul className={classes.lines}>
        {tasks.map((task) => {
          const kind = kindOf(task.kind)
          return (
            <li key={task.id} className={classes.line}>
              <span>{task.exam === null ? task.number : <ToExam id={task.exam} number={task.number} />}</span>
              <span>{task.listed && <Named row={task.listed} />}</span>
              <span>
                {kind ? t(`tasks.kinds.${kind}`) : task.kind}{' '}
                <span className={classes.dim}>
                  <TaskBody task={task} />
                </span>
              </span>
              <span />
              <span className={classes.dim}>{moment(task.raised_at)}</span>
            </li>
          )
        })}
      </ul>
    </section>
  )
}
