/** The registration desk: whoever is expected, here, examined and finished today; scan, register, green channel. */
import { ActionIcon, Button, Drawer, MultiSelect, SegmentedControl, Text, TextInput } from '@mantine/core'
import { useDebouncedValue, useMediaQuery } from '@mantine/hooks'
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { IconBarcode, IconPlus, IconX } from '@tabler/icons-react'
import { useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'

import { useMay } from '../access/session'
import { ErrorNote, showError } from '../app/errors'
import { count, moment } from '../app/format'
import { Grid, type Column } from '../app/Grid'
import { usePreference } from '../app/preferences'
import { useShortcuts } from '../app/shortcuts'
import classes from './Department.module.css'
import { DayField } from './DayField'
import { ExamPanel } from './ExamPanel'
import { GreenButton, GreenChannel } from './GreenChannel'
import { ageOf, findExams, today, useMaster, usePlaceNames, wordsOfKind, type Listed, type View } from './model'
import { Named, Procedure, Stat, State } from './State'

const VIEWS: View[] = ['expected', 'registered', 'examined', 'finished']

export default function Desk() {
  const { t } = useTranslation()
  const may = useMay()
  const [, navigate] = useLocation()
  const client = useQueryClient()
  const master = useMaster()
  const place = usePlaceNames()
  const making = t(may('register') ? 'department.desk.new' : 'department.desk.newOrder')
  const [view, setView] = useState<View>(may('register') ? 'registered' : may('order') || may('vet') ? 'expected' : 'finished')
  const [day, setDay] = useState(today())
  const [typed, setTyped] = useState('')
  const [text] = useDebouncedValue(typed.trim(), 250)
  const [modalities, setModalities] = usePreference<string[]>('desk.modalities', [])
  const [widths, setWidths] = usePreference<Record<string, number>>('columns.desk', {})
  const [chosen, choose] = useState<number | null>(null)
  const [green, setGreen] = useState(false)
  const narrow = useMediaQuery('(max-width: 62em)', false, { getInitialValueInEffect: false })
  const box = useRef<HTMLInputElement>(null)

  // what is typed is looked for everywhere, not only in the list of a day
  const wish = { view: text ? ('all' as View) : view, day: text ? null : day, text, modalities, limit: 300 }
  const query = useQuery({
    queryKey: ['exams', wish],
    queryFn: () => findExams(wish),
    placeholderData: keepPreviousData,
    refetchInterval: 10_000,
  })
  // the counts of the day stay in sight while something is looked for
  const counts = useQuery({
    queryKey: ['exams', 'totals', day, modalities],
    queryFn: () => findExams({ day, modalities, limit: 1 }),
    placeholderData: keepPreviousData,
    refetchInterval: 10_000,
  })
  const rows = useMemo(() => query.data?.exams ?? [], [query.data])
  const totals = counts.data?.totals
  const changed = () => void client.invalidateQueries({ queryKey: ['exams'] })

  /** An exam of the green channel is there: it is shown. */
  const opened = (exam: number) => {
    changed()
    setTyped('')
    setView('registered')
    setDay(today())
    choose(exam)
  }
  const scan = async () => {
    const wanted = typed.trim()
    if (!wanted) return
    try {
      const found = await findExams({ text: wanted, limit: 2 })
      if (found.exams.length === 1) {
        choose(found.exams[0]!.exam.id)
        box.current?.select()
      }
    } catch (error) {
      showError(error)
    }
  }

  useShortcuts(t('department.desk.title'), [
    { keys: '/', words: t('department.desk.scan'), run: () => box.current?.select() },
    // the box for the scanner has the focus: with Alt they are heard there, too
    ...['n', 'alt+n'].map((keys) => ({ keys, words: making, run: () => may('order') && navigate('/registration/new'), inText: keys !== 'n' })),
    ...['g', 'alt+g'].map((keys) => ({ keys, words: t('department.green.title'), run: () => may('green-channel') && setGreen(true), inText: keys !== 'g' })),
    ...VIEWS.map((one, at) => ({
      keys: String(at + 1),
      words: t(`department.views.${one}`),
      run: () => {
        setTyped('')
        setView(one)
      },
    })),
    { keys: 'Escape', words: t('admin.closeDetails'), run: () => choose(null) },
  ])

  // up to the class all are seen beside the details, at 1440 pixels
  const columns = useMemo<Column<Listed>[]>(
    () => [
      {
        id: 'number',
        title: t('department.number'),
        width: 150,
        cell: ({ exam }) => (
          <span className={classes.number}>
            <Stat exam={exam} />
            {exam.number || '—'}
          </span>
        ),
      },
      { id: 'name', title: t('department.name'), width: 170, cell: (row) => <Named row={row} /> },
      {
        id: 'sex',
        title: t('department.sexAge'),
        width: 78,
        cell: (row) => [row.sex && t(`department.sex.${row.sex as 'M'}`), ageOf(row.birth_date)].filter(Boolean).join(' '),
      },
      { id: 'procedure', title: t('department.procedure'), width: 198, cell: ({ exam }) => <Procedure exam={exam} /> },
      { id: 'state', title: t('department.state'), width: 164, cell: ({ exam }) => <State state={exam.state} /> },
      { id: 'station', title: t('department.station'), width: 68, cell: ({ exam }) => exam.station },
      {
        id: 'time',
        title: t('department.time'),
        width: 122,
        cell: ({ exam }) => moment(timeOf(exam, text ? 'all' : view)),
      },
      { id: 'class', title: t('department.patientClass'), width: 84, cell: (row) => t(`department.patientClasses.${row.patient_class as 'O'}`) },
      { id: 'who', title: t('department.requester'), width: 150, cell: (row) => [place('department', row.order_department), place('ward', row.ward), row.requester].filter(Boolean).join(' · ') },
      { id: 'patient', title: t('department.patientId'), width: 130, cell: (row) => <span className={classes.number}>{row.patient_id}</span> },
    ],
    [t, view, text, place],
  )

  const panel = chosen !== null && (
    <ExamPanel key={chosen} exam={chosen} changed={changed} close={narrow ? undefined : () => choose(null)} open={choose} />
  )
  return (
    <div className={classes.page} data-details={(chosen !== null && !narrow) || undefined}>
      <div className={classes.tools} role="search">
        <TextInput
          ref={box}
          className={classes.scan}
          aria-label={t('department.desk.scan')}
          placeholder={t('department.desk.scan')}
          leftSection={<IconBarcode size={15} />}
          rightSection={
            typed && (
              <ActionIcon variant="subtle" color="gray" size="sm" aria-label={t('app.actions.clear')} onClick={() => setTyped('')}>
                <IconX size={14} />
              </ActionIcon>
            )
          }
          autoFocus
          autoComplete="off"
          spellCheck={false}
          maxLength={100}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Escape') {
              // what was typed goes first, then the box gives the keyboard back
              if (typed) setTyped('')
              else event.currentTarget.blur()
            }
            if (event.key === 'Enter') void scan()
            if (event.key === 'ArrowDown') document.querySelector<HTMLElement>('[role=grid]')?.focus()
          }}
        />
        <SegmentedControl
          aria-label={t('department.desk.lists')}
          value={text ? '' : view}
          onChange={(value) => {
            setTyped('')
            setView(value as View)
          }}
          data={VIEWS.map((one) => ({
            value: one,
            label: (
              <span>
                {t(`department.views.${one}`)}{' '}
                <b className={classes.number}>{totals ? count(totals[one as 'expected']) : '·'}</b>
              </span>
            ),
          }))}
        />
        <DayField day={day} set={setDay} />
        <MultiSelect
          w={150}
          aria-label={t('department.modality')}
          placeholder={modalities.length ? '' : t('department.allModalities')}
          data={[...new Set(wordsOfKind(master.data, 'procedure').map((one) => String(one.more.modality ?? '')))].filter(Boolean)}
          value={modalities}
          onChange={setModalities}
          clearable
        />
        <div className={classes.end}>
          {may('order') && (
            <Button leftSection={<IconPlus size={14} />} title="Alt+N" onClick={() => navigate('/registration/new')}>
              {making}
            </Button>
          )}
          {may('green-channel') && (
            <GreenButton ask={() => setGreen(true)} done={opened} />
          )}
        </div>
      </div>
      <div className={classes.list}>
        {query.isError ? (
          <div style={{ padding: '0.75rem' }}>
            <ErrorNote error={query.error} again={() => void query.refetch()} />
          </div>
        ) : (
          <Grid
            label={t('department.desk.title')}
            columns={columns}
            rows={rows}
            rowId={(row) => String(row.exam.id)}
            selected={chosen === null ? undefined : new Set([String(chosen)])}
            onSelect={(ids) => choose(Number([...ids].at(-1)) || null)}
            onOpen={(row) => navigate(`/exams/${row.exam.id}`)}
            widths={widths}
            onWidths={setWidths}
            empty={
              query.isPending ? null : (
                <Text size="sm" c="dimmed">
                  {text ? t('department.desk.nothingFound') : t(`department.desk.none.${view}`)}
                </Text>
              )
            }
          />
        )}
      </div>
      {chosen !== null && !narrow && (
        <aside className={classes.details} aria-label={t('admin.details')}>
          {panel}
        </aside>
      )}
      {narrow && (
        <Drawer opened={chosen !== null} closeOnEscape={false} onClose={() => choose(null)} position="right" size="100%" title={t('admin.details')}>
          {panel}
        </Drawer>
      )}
      {green && <GreenChannel close={() => setGreen(false)} done={opened} />}
    </div>
  )
}

function timeOf(exam: Listed['exam'], view: View): string | null {
  switch (view) {
    case 'expected':
      return exam.starts_at ?? exam.ordered_at
    case 'registered':
      return exam.arrived_at
    case 'examined':
      return exam.finished_at
    case 'finished':
      return exam.final_at
    default:
      return exam.arrived_at ?? exam.starts_at ?? exam.ordered_at
  }
}
