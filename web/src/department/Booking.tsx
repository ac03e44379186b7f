/** A day of all stations: what is taken, what is free, and an exam that looks for its time. */
import { Alert, Button, Checkbox, MultiSelect, Text } from '@mantine/core'
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { IconCalendarSearch } from '@tabler/icons-react'
import { useEffect, useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation, useParams } from 'wouter'

import { useMay } from '../access/session'
import { api, data } from '../api/client'
import { Ask } from '../app/Ask'
import { ErrorNote, showError } from '../app/errors'
import { moment } from '../app/format'
import { usePreference } from '../app/preferences'
import { useShortcuts } from '../app/shortcuts'
import classes from './Booking.module.css'
import { CloseStation } from './CloseStation'
import { DayField } from './DayField'
import { DayGrid } from './DayGrid'
import desk from './Department.module.css'
import { dayAfter, findExams, isoDay, procedureOf, today, useMaster, wordsOfKind, type Exam, type ExamPage, type Listed, type Taken } from './model'
import { Named, Procedure, Stat, State } from './State'

export default function Booking() {
  const { exam: given } = useParams<{ exam?: string }>()
  const { t } = useTranslation()
  const may = useMay()
  const client = useQueryClient()
  const master = useMaster()
  const [, navigate] = useLocation()
  const [day, setDay] = useState(today())
  const [modalities, setModalities] = usePreference<string[]>('booking.modalities', [])
  const [overbook, setOverbook] = useState(false)
  const [slot, setSlot] = useState<{ station: string; at: Date } | null>(null)
  const [closing, setClosing] = useState(false)

  const page = useQuery({
    queryKey: ['exam', Number(given)],
    queryFn: () => data(api.GET('/exams/{exam}', { params: { path: { exam: Number(given) } } })),
    enabled: Boolean(given),
  })
  const exam = given ? page.data?.exam : undefined
  const query = useQuery({
    queryKey: ['stations', day],
    queryFn: () => data(api.GET('/stations', { params: { query: { day } } })),
    placeholderData: keepPreviousData,
    refetchInterval: 10_000,
  })
  const waiting = useQuery({
    queryKey: ['exams', 'unbooked'],
    queryFn: () => findExams({ states: ['E00', 'E10'] }),
    refetchInterval: 15_000,
  })

  const stations = useMemo(() => {
    const all = query.data?.stations ?? []
    const wanted = exam ? [exam.modality] : modalities
    return wanted.length ? all.filter((one) => wanted.includes(one.modality)) : all
  }, [query.data, exam, modalities])
  const words = wordsOfKind(master.data, 'procedure').find((one) => one.code === exam?.procedure)
  const minutes = Number(words?.more.minutes ?? 15)
  const refresh = () => {
    void client.invalidateQueries({ queryKey: ['stations'] })
    void client.invalidateQueries({ queryKey: ['exams'] })
    void client.invalidateQueries({ queryKey: ['exam'] })
  }

  // a booked exam is looked for where it is
  useEffect(() => {
    if (exam?.starts_at && new Date(exam.starts_at) > new Date()) setDay(isoDay(new Date(exam.starts_at)))
  }, [exam?.starts_at])

  const earliest = async () => {
    if (!exam) return
    try {
      const found = await data(api.POST('/stations/earliest', { body: { modality: exam.modality, minutes } }))
      if (found.station && found.starts_at) {
        const at = new Date(found.starts_at)
        setDay(isoDay(at))
        setSlot({ station: found.station, at })
      } else showError(new Error())
    } catch (error) {
      showError(error)
    }
  }
  useShortcuts(t('department.booking.title'), [
    { keys: 'ArrowLeft', words: t('department.dayBefore'), run: () => setDay(dayAfter(day, -1)) },
    { keys: 'ArrowRight', words: t('department.dayNext'), run: () => setDay(dayAfter(day, 1)) },
    { keys: 't', words: t('department.booking.today'), run: () => setDay(today()) },
    { keys: 'e', words: t('department.booking.earliest'), run: () => void earliest() },
    { keys: 'Escape', words: t('app.actions.clear'), run: () => navigate('/booking') },
  ])

  const open = (taken: Taken) => taken.exam && navigate(`/exams/${taken.exam}`)
  return (
    <div className={classes.page}>
      <div className={desk.tools}>
        <DayField day={day} set={setDay} />
        <Button variant="default" onClick={() => setDay(today())} disabled={day === today()}>
          {t('department.booking.today')}
        </Button>
        <span style={{ fontSize: '0.8125rem' }}>{new Date(`${day}T12:00:00`).toLocaleDateString(document.documentElement.lang, { weekday: 'long' })}</span>
        {!exam && (
          <MultiSelect
            w={170}
            aria-label={t('department.modality')}
            placeholder={modalities.length ? '' : t('department.allModalities')}
            data={[...new Set((query.data?.stations ?? []).map((one) => one.modality))]}
            value={modalities}
            onChange={setModalities}
            clearable
          />
        )}
        <div className={desk.end}>
          {may('register') && (
            <Button variant="default" onClick={() => setClosing(true)}>
              {t('department.booking.close')}
            </Button>
          )}
        </div>
      </div>
      <aside className={classes.side} aria-label={t('department.booking.unbooked')}>
        {exam ? (
          <Looking exam={exam} person={page.data!.person} minutes={minutes}>
            <Button leftSection={<IconCalendarSearch size={14} />} onClick={() => void earliest()}>
              {t('department.booking.earliest')}
            </Button>
            {may('overbook') && <Checkbox label={t('department.booking.overbook')} checked={overbook} onChange={(event) => setOverbook(event.currentTarget.checked)} />}
            <Button variant="default" onClick={() => navigate('/booking')}>
              {t('app.actions.cancel')}
            </Button>
          </Looking>
        ) : (
          <Unbooked rows={waiting.data?.exams ?? []} pick={(one) => navigate(`/booking/${one}`)} ready={waiting.isSuccess} />
        )}
      </aside>
      <div className={classes.grid}>
        {query.isError ? (
          <div style={{ padding: '0.75rem' }}>
            <ErrorNote error={query.error} again={() => void query.refetch()} />
          </div>
        ) : (
          <DayGrid
            day={day}
            stations={stations}
            taken={query.data?.taken ?? []}
            looking={exam ? minutes : 0}
            own={exam?.id}
            overbook={overbook}
            choose={(station, at) => setSlot({ station, at })}
            open={open}
            reopen={async (one) => {
              try {
                await api.DELETE('/stations/{station}/closures/{number}', { params: { path: { station: one.station, number: one.id } } })
                refresh()
              } catch (error) {
                showError(error)
              }
            }}
          />
        )}
      </div>
      {slot && exam && (
        <Ask
          title={t('department.act.book')}
          word={t('department.act.book')}
          reason="none"
          close={() => setSlot(null)}
          act={async () => {
            const body = { station: slot.station, starts_at: slot.at.toISOString(), overbook, seen: exam.changes }
            await data(api.POST('/exams/{exam}/book', { params: { path: { exam: exam.id } }, body }))
            refresh()
            navigate('/booking')
          }}
        >
          <Text size="sm">
            <b>{moment(slot.at.toISOString())}</b> · {slot.station}
            <br />
            {procedureOf(exam)} · {t('department.minutes', { count: minutes })}
          </Text>
          {overbook && (
            <Alert color="yellow" variant="light" p="xs">
              {t('department.booking.overbooked')}
            </Alert>
          )}
        </Ask>
      )}
      {closing && <CloseStation day={day} stations={query.data?.stations ?? []} close={() => setClosing(false)} done={refresh} />}
    </div>
  )
}

function Looking({ exam, person, minutes, children }: { exam: Exam; person: ExamPage['person']; minutes: number; children: React.ReactNode }) {
  const { t } = useTranslation()
  return (
    <div className={classes.looking}>
      <div>
        <Stat exam={exam} />
        <Named row={{ name: person.name_ideographic || person.name_alphabetic, name_alphabetic: person.name_alphabetic }} />
      </div>
      <div>
        <Procedure exam={exam} /> · {t('department.minutes', { count: minutes })}
      </div>
      <State state={exam.state} />
      {exam.starts_at && (
        <div className={desk.dim}>
          {t('department.booked')}: {moment(exam.starts_at)} · {exam.station}
        </div>
      )}
      <Text size="xs" c="dimmed">
        {t('department.booking.help')}
      </Text>
      {children}
    </div>
  )
}

function Unbooked({ rows, pick, ready }: { rows: Listed[]; pick: (exam: number) => void; ready: boolean }) {
  const { t } = useTranslation()
  return (
    <>
      <h2 className={desk.blockTitle}>{t('department.booking.unbooked')}</h2>
      {ready && rows.length === 0 && (
        <Text size="xs" c="dimmed">
          {t('department.booking.noneUnbooked')}
        </Text>
      )}
      {rows.map((row) => (
        <button type="button" key={row.exam.id} className={desk.choice} onClick={() => pick(row.exam.id)}>
          <span>
            <Stat exam={row.exam} />
            <Named row={row} />
            <span className={desk.dim} style={{ display: 'block' }}>
              <Procedure exam={row.exam} />
            </span>
          </span>
          <span className={desk.dim}>{moment(row.exam.ordered_at).slice(5, 10)}</span>
        </button>
      ))}
    </>
  )
}
