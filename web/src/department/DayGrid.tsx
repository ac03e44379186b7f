/** Stations beside one another, the hours of a day below one another. Free times are buttons. */
import { useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'

import classes from './Booking.module.css'
import { nameOf, spokenNames, toneOf, type Station, type Taken } from './model'

/** Minutes of a step, and pixels of a minute: five minutes are a line of small words. */
const STEP = 10
const PIXELS = 3

interface Props {
  day: string
  stations: Station[]
  taken: Taken[]
  /** Minutes that a free time must have; 0 where nothing is looked for. */
  looking: number
  own?: number
  overbook: boolean
  choose: (station: string, at: Date) => void
  open: (taken: Taken) => void
  reopen: (taken: Taken) => void
}

export function DayGrid(props: Props) {
  const { t } = useTranslation()
  const { day, stations, taken } = props
  const weekday = (new Date(`${day}T12:00:00`).getDay() + 6) % 7
  const begin = new Date(`${day}T00:00:00`).getTime()
  const minutesOf = (iso: string) => Math.round((new Date(iso).getTime() - begin) / 60_000)

  const spans = (station: Station): [number, number][] => {
    if (Object.keys(station.hours).length === 0) return [[0, 24 * 60]]
    return (station.hours[String(weekday)] ?? []).map(([opens, closes]) => [minutes(opens!), minutes(closes!)])
  }
  const edges = [
    ...stations.flatMap((one) => (Object.keys(one.hours).length ? spans(one).flat() : [])),
    ...taken.flatMap((one) => [Math.max(0, minutesOf(one.starts_at)), Math.min(24 * 60, minutesOf(one.ends_at))]),
  ]
  const first = Math.floor(Math.min(8 * 60, ...edges) / 60) * 60
  const last = Math.ceil(Math.max(18 * 60, ...edges) / 60) * 60
  const hours = Array.from({ length: (last - first) / 60 + 1 }, (_, at) => first + at * 60)
  const height = (last - first) * PIXELS
  const step = props.looking < STEP ? STEP / 2 : STEP
  const now = (Date.now() - begin) / 60_000
  const line = useRef<HTMLElement>(null)
  // what is behind us is of no use to whoever looks for a time
  useEffect(() => {
    void line.current?.scrollIntoView({ block: 'center' })
  }, [day, stations.length])

  if (stations.length === 0) return <p className={classes.nothing}>{t('department.booking.noStations')}</p>
  return (
    <div
      className={classes.day}
      style={{
        gridTemplateColumns: `3.25rem repeat(${stations.length}, minmax(0, 1fr))`,
        minWidth: `${3.25 + stations.length * 8}rem`,
        maxWidth: `${3.25 + stations.length * 22}rem`,
      }}
    >
      <div className={classes.corner} />
      {stations.map((one) => (
        <div key={one.code} className={classes.station}>
          <b>{one.code}</b>
          <span>{nameOf(one)}</span>
        </div>
      ))}
      <div className={classes.hours} style={{ height }}>
        {hours.map((at) => (
          <span key={at} style={{ top: (at - first) * PIXELS }}>
            {words(at)}
          </span>
        ))}
      </div>
      {stations.map((station) => {
        const open = spans(station)
        const mine = taken.filter((one) => one.station === station.code)
        const busy = mine.map((one) => [minutesOf(one.starts_at), minutesOf(one.ends_at), one] as const)
        const free: number[] = []
        if (props.looking) {
          for (const [opens, closes] of open) {
            for (let at = opens; at + props.looking <= closes; at += step) {
              const clash = busy.some(([from, to, one]) => from < at + props.looking && to > at && one.exam !== props.own)
              if (at >= now - 15 && (props.overbook || !clash)) free.push(at)
            }
          }
        }
        return (
          <div key={station.code} className={classes.column} style={{ height }}>
            {hours.slice(0, -1).map((at) => (
              <i key={at} className={classes.line} style={{ top: (at - first) * PIXELS }} />
            ))}
            {closedSpans(open, first, last).map(([from, to]) => (
              <i key={from} className={classes.shut} style={{ top: (from - first) * PIXELS, height: (to - from) * PIXELS }} />
            ))}
            {now > first && now < last && <i ref={station === stations[0] ? line : undefined} className={classes.now} style={{ top: (now - first) * PIXELS }} />}
            {free.map((at) => (
              <button
                type="button"
                key={at}
                className={classes.free}
                style={{ top: (at - first) * PIXELS, height: step * PIXELS - 1 }}
                aria-label={`${station.code} ${words(at)}`}
                onClick={() => props.choose(station.code, new Date(begin + at * 60_000))}
              >
                {words(at)}
              </button>
            ))}
            {busy.map(([from, to, one]) => {
              const style = {
                top: (Math.max(from, first) - first) * PIXELS,
                height: Math.max((Math.min(to, last) - Math.max(from, first)) * PIXELS - 1, 12),
                ...(one.overbooked && { left: '40%' }),
              }
              if (one.exam === null) {
                return (
                  <div key={one.id} className={classes.closed} data-short={to - from < STEP || undefined} style={style} title={one.note}>
                    <span>{one.hidden ? t('department.booking.hidden') : one.note || t('department.booking.closed')}</span>
                    {!one.hidden && (
                      <button type="button" onClick={() => props.reopen(one)} aria-label={t('department.booking.reopen')} title={t('department.booking.reopen')}>
                        ×
                      </button>
                    )}
                  </div>
                )
              }
              const [name, other] = spokenNames(one)
              const procedure = nameOf({ name_zh: one.procedure_zh, name_en: one.procedure_en })
              return (
                <button
                  type="button"
                  key={one.id}
                  className={classes.taken}
                  data-tone={toneOf(one.state)}
                  data-own={one.exam === props.own || undefined}
                  data-stat={one.stat || undefined}
                  data-short={to - from < STEP || undefined}
                  data-tall={to - from >= 2 * STEP || undefined}
                  style={style}
                  title={`${words(from)} ${[name, other].filter(Boolean).join(' ')} · ${procedure} · ${t(`department.states.${one.state}`)}`}
                  onClick={() => props.open(one)}
                >
                  <b>{words(from)}</b> {name} {other && <span>{other}</span>} <span className={other && classes.what}>{procedure}</span>
                </button>
              )
            })}
          </div>
        )
      })}
    </div>
  )
}

function minutes(time: string): number {
  const [hour = '0', minute = '0'] = time.split(':')
  return Number(hour) * 60 + Number(minute)
}

function words(at: number): string {
  return `${String(Math.floor(at / 60)).padStart(2, '0')}:${String(at % 60).padStart(2, '0')}`
}

/** What lies between the hours. */
function closedSpans(open: [number, number][], first: number, last: number): [number, number][] {
  const found: [number, number][] = []
  let at = first
  for (const [opens, closes] of [...open].sort((one, other) => one[0] - other[0])) {
    if (opens > at) found.push([at, Math.min(opens, last)])
    at = Math.max(at, closes)
  }
  if (at < last) found.push([at, last])
  return found
}
