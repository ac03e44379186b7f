/** Who waits at the devices, who is being examined, whose images are not complete; beside it what is done with an exam. */
import { ActionIcon, Button, Drawer, Group, Loader, MultiSelect, SegmentedControl, TextInput } from '@mantine/core'
import { useMediaQuery } from '@mantine/hooks'
import { IconBarcode, IconClipboardCheck, IconX } from '@tabler/icons-react'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { useMay } from '../../access/session'
import { api, data } from '../../api/client'
import { ErrorNote } from '../../app/errors'
import { moment } from '../../app/format'
import { Grid, type Column } from '../../app/Grid'
import { usePreference } from '../../app/preferences'
import { useShortcuts } from '../../app/shortcuts'
import { GreenButton, GreenChannel } from '../GreenChannel'
import { ageOf, stationOptions, usePlaceNames } from '../model'
import { Named, Procedure, Stat, State } from '../State'
import { inView, isMeant, sinceOf, VIEWS, type Row, type View } from './model'
import { Images, Signs } from './Progress'
import classes from './Work.module.css'
import { WorkPanel } from './WorkPanel'

const NONE: Row[] = []

export default function WorkList() {
  const { t } = useTranslation()
  const may = useMay()
  const place = usePlaceNames()
  const [view, setView] = usePreference<View>('work.view', 'now')
  const [stations, setStations] = usePreference<string[]>('work.stations', [])
  const [widths, setWidths] = usePreference<Record<string, number>>('columns.work', {})
  const [text, setText] = useState('')
  const [green, setGreen] = useState(false)
  const [chosen, choose] = useState<number | null>(null)
  const narrow = useMediaQuery('(max-width: 62em)', false, { getInitialValueInEffect: false })
  const box = useRef<HTMLInputElement>(null)

  const known = useQuery({ queryKey: ['stations'], queryFn: () => data(api.GET('/stations')), staleTime: 60_000 })
  const query = useQuery({
    queryKey: ['work', stations],
    queryFn: () => data(api.POST('/technologist/exams', { body: { stations, modalities: [] } })),
    placeholderData: keepPreviousData,
    refetchInterval: 5_000,
  })
  const all = query.data?.rows ?? NONE
  const wanted = text.trim()
  const rows = useMemo(
    () => all.filter((row) => (wanted ? isMeant(row, wanted) : inView(row, view))),
    [all, view, wanted],
  )
  const counts = useMemo(() => Object.fromEntries(VIEWS.map((one) => [one, all.filter((row) => inView(row, one)).length])), [all])

  // a number that was scanned opens its exam
  const scanned = () => {
    const exact = all.filter((row) => row.listed.exam.number.toLowerCase() === wanted.toLowerCase())
    const found = exact.length === 1 ? exact[0] : rows.length === 1 ? rows[0] : undefined
    if (found) {
      choose(found.listed.exam.id)
      box.current?.select()
    }
  }
  const opened = (exam: number) => {
    setText('')
    setView('now')
    void query.refetch().then(() => choose(exam))
  }
  const gone = chosen !== null && query.isSuccess && !all.some((row) => row.listed.exam.id === chosen)
  useEffect(() => {
    if (gone) choose(null)
  }, [gone])

  useShortcuts(t('work.title'), [
    { keys: '/', words: t('work.find'), run: () => box.current?.select() },
    ...VIEWS.map((one, at) => ({ keys: String(at + 1), words: t(`work.views.${one}`), run: () => setView(one) })),
    { keys: 'Escape', words: t('admin.closeDetails'), run: () => choose(null) },
  ])

  const columns = useMemo<Column<Row>[]>(
    () => [
      {
        id: 'number',
        title: t('department.number'),
        width: 150,
        cell: ({ listed }) => (
          <>
            <Stat exam={listed.exam} />
            {listed.exam.number}
          </>
        ),
      },
      { id: 'name', title: t('department.name'), width: 160, cell: ({ listed }) => <Named row={listed} /> },
      {
        id: 'sex',
        title: t('department.sexAge'),
        width: 84,
        cell: ({ listed }) => [listed.sex && t(`department.sex.${listed.sex as 'M'}`), ageOf(listed.birth_date)].filter(Boolean).join(' '),
      },
      { id: 'procedure', title: t('department.procedure'), width: 210, cell: ({ listed }) => <Procedure exam={listed.exam} /> },
      { id: 'state', title: t('department.state'), width: 136, cell: ({ listed }) => <State state={listed.exam.state} /> },
      { id: 'station', title: t('department.station'), width: 80, cell: ({ listed }) => listed.exam.station },
      { id: 'images', title: t('work.images'), width: 96, end: true, cell: (row) => <Images row={row} /> },
      { id: 'signs', title: '', width: 56, cell: (row) => <Signs row={row} /> },
      { id: 'since', title: t('work.since'), width: 128, cell: (row) => moment(sinceOf(row)) },
      { id: 'from', title: t('department.requester'), width: 150, cell: ({ listed }) => [place('department', listed.order_department), place('ward', listed.ward), listed.bed].filter(Boolean).join(' · ') },
    ],
    [t, place],
  )

  const panel = chosen !== null && <WorkPanel key={chosen} exam={chosen} close={narrow ? undefined : () => choose(null)} />
  return (
    <div className={classes.page} data-details={(panel && !narrow) || undefined}>
      <div className={classes.tools} role="search">
        <TextInput
          ref={box}
          className={classes.search}
          aria-label={t('work.find')}
          placeholder={t('work.find')}
          leftSection={<IconBarcode size={15} />}
          rightSection={
            text && (
              <ActionIcon variant="subtle" color="gray" size="sm" aria-label={t('app.actions.clear')} onClick={() => setText('')}>
                <IconX size={14} />
              </ActionIcon>
            )
          }
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => event.key === 'Enter' && scanned()}
        />
        <MultiSelect
          className={classes.stations}
          aria-label={t('work.stations')}
          placeholder={stations.length ? undefined : t('work.stations')}
          data={stationOptions(known.data?.stations ?? [])}
          value={stations}
          onChange={setStations}
          clearable
        />
        <SegmentedControl
          aria-label={t('department.state')}
          value={wanted ? 'all' : view}
          onChange={(value) => {
            setText('')
            setView(value as View)
          }}
          data={VIEWS.map((one) => ({
            value: one,
            label: (
              <span>
                {t(`work.views.${one}`)} {one !== 'all' && counts[one] ? <span className={classes.count}>{counts[one]}</span> : null}
              </span>
            ),
          }))}
        />
        <Group className={classes.end} gap="xs">
          <Button component={Link} href="/work/shift" variant="default" leftSection={<IconClipboardCheck size={15} />}>
            {t('work.shift.open')}
          </Button>
          {may('green-channel') && <GreenButton ask={() => setGreen(true)} done={opened} />}
        </Group>
      </div>
      <div className={classes.list}>
        {query.isError ? (
          <div className={classes.note}>
            <ErrorNote error={query.error} again={() => void query.refetch()} />
          </div>
        ) : (
          <Grid
            label={t('work.title')}
            columns={columns}
            rows={rows}
            rowId={(row) => String(row.listed.exam.id)}
            selected={chosen === null ? undefined : new Set([String(chosen)])}
            onSelect={(ids) => choose(Number([...ids].at(-1)) || null)}
            widths={widths}
            onWidths={setWidths}
            empty={query.isPending ? <Loader size="sm" /> : t(wanted ? 'work.nothing' : `work.empty.${view}`)}
            autoFocus
          />
        )}
      </div>
      {green && <GreenChannel close={() => setGreen(false)} done={opened} />}
      {panel && !narrow && (
        <aside className={classes.details} aria-label={t('admin.details')}>
          {panel}
        </aside>
      )}
      {narrow && (
        <Drawer opened={chosen !== null} closeOnEscape={false} onClose={() => choose(null)} position="right" size="100%" title={t('admin.details')}>
          {panel}
        </Drawer>
      )}
    </div>
  )
}
