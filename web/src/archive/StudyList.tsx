import {
  ActionIcon,
  Button,
  Checkbox,
  Drawer,
  Popover,
  SegmentedControl,
  Stack,
  Text,
  TextInput,
  Tooltip,
} from '@mantine/core'
import { useDebouncedValue, useMediaQuery } from '@mantine/hooks'
import {
  IconColumns3,
  IconLayoutSidebarRightCollapse,
  IconLayoutSidebarRightExpand,
  IconSearch,
  IconX,
} from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { useCallback, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'

import { useMay } from '../access/session'
import { ErrorNote } from '../app/errors'
import { Grid } from '../app/Grid'
import { usePreference } from '../app/preferences'
import { useShortcuts } from '../app/shortcuts'
import { narrowColumn, studyColumns, USUAL_COLUMNS, type StudyRow } from './columns'
import { Facet, MoreFilters, SPANS, type Facets } from './Filters'
import { StudyDetails } from './StudyDetails'
import { opening, readInOrder } from '../viewing/order'
import classes from './StudyList.module.css'
import { WhyButton } from './why/WhyButton'
import { FIRST, useArrivals, useStudies, type Order, type Wanted } from './useStudies'
import { Views } from './Views'

interface Layout {
  columns: string[]
  widths: Record<string, number>
  details: boolean
}

const USUAL: Layout = { columns: USUAL_COLUMNS, widths: {}, details: true }
/** One word with a digit, no longer than a number is. */
const NUMBER = /^(?=.*\d)\S{1,64}$/

export default function StudyList() {
  const { t } = useTranslation()
  const may = useMay()
  const client = useQueryClient()
  const [, navigate] = useLocation()
  const [wanted, setWanted] = useState<Wanted>(FIRST)
  const [typed, setTyped] = useState('')
  const [text] = useDebouncedValue(typed, 250)
  const [layout, setLayout] = usePreference<Layout>('studies.layout', USUAL)
  const [active, setActive] = useState<StudyRow | null>(null)
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const [drawer, setDrawer] = useState(false)
  const wide = useMediaQuery('(min-width: 62em)', true, { getInitialValueInEffect: false })
  const box = useRef<HTMLInputElement>(null)

  const asked = useMemo(() => ({ ...wanted, text: text.trim() }), [wanted, text])
  const query = useStudies(asked)
  const [arrived, forgetArrived] = useArrivals()
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page?.studies ?? []) ?? [], [query.data])
  const first = query.data?.pages[0]
  const all = studyColumns(t)
  const wider = useMediaQuery('(min-width: 36em)', true, { getInitialValueInEffect: false })
  const columns = wider ? layout.columns.flatMap((id) => all.find((column) => column.id === id) ?? []) : [narrowColumn(t)]
  const rowHeight = !wider ? 52 : layout.columns.includes('picture') ? 46 : 30

  const refresh = () => {
    forgetArrived()
    void client.invalidateQueries({ queryKey: ['studies'] })
  }
  // rows of the search before: shown until the new ones are there, but nobody opens one of them by mistake
  const stale = query.isPlaceholderData || text !== typed
  const open = (row: StudyRow) => {
    if (stale || !may('view')) return
    readInOrder(rows.map((one) => one.study_uid))
    opening(client, row.study_uid)
    // one number for several patients, as far as this list tells; the viewer asks where it does not
    const shared = rows.some((one) => one.study_uid === row.study_uid && one.row !== row.row)
    navigate(shared ? `/view/${row.study_uid}?row=${row.row}` : `/view/${row.study_uid}`)
  }
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = query
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage()
  }, [hasNextPage, isFetchingNextPage, fetchNextPage])

  useShortcuts(t('archive.studies.title'), [
    { keys: '/', words: t('app.shortcuts.search'), run: () => box.current?.select() },
    { keys: 'd', words: t('archive.studies.details'), run: () => setLayout({ ...layout, details: !layout.details }) },
    { keys: 't', words: t('archive.timeline.help'), run: () => active && !stale && navigate(`/timeline/${active.study_uid}`) },
    { keys: 'r', words: t('app.actions.refresh'), run: refresh },
  ])

  const facets: Facets = {
    values: (first?.facets ?? {}) as Facets['values'],
    // of very many studies only the newest are looked at
    complete: first?.facets_complete !== false,
  }
  const filtered = JSON.stringify({ ...asked, order: FIRST.order, descending: FIRST.descending }) !== JSON.stringify(FIRST)
  const total = first?.total
  const found =
    total === null || total === undefined
      ? t('archive.studies.found', { count: rows.length })
      : t('archive.studies.found', { count: total })

  const details = active && (
    <StudyDetails key={active.row} study={active.study_uid} row={active.row} changed={refresh} />
  )
  const besides = layout.details && wide

  return (
    <div className={classes.page} data-details={besides || undefined}>
      <div className={classes.tools} role="search">
        <TextInput
          ref={box}
          className={classes.box}
          aria-label={t('archive.studies.searchLabel')}
          placeholder={t('archive.studies.search')}
          leftSection={<IconSearch size={15} />}
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
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Escape') setTyped('')
            if (event.key === 'ArrowDown') document.querySelector<HTMLElement>('[role=grid]')?.focus()
            if (event.key === 'Enter' && rows.length === 1) open(rows[0]!)
          }}
        />
        <SegmentedControl
          visibleFrom="sm"
          aria-label={t('archive.column.date')}
          data={Object.entries(SPANS).map(([word, value]) => ({
            value: String(value),
            label: t(`archive.studies.${word as keyof typeof SPANS}`),
          }))}
          value={wanted.from || wanted.to ? '' : String(wanted.days)}
          onChange={(value) => setWanted({ ...wanted, days: Number(value), from: '', to: '' })}
        />
        <Facet
          name="modality"
          label={t('archive.studies.modality')}
          chosen={wanted.modalities}
          facets={facets}
          set={(modalities) => setWanted({ ...wanted, modalities })}
          w={170}
        />
        <MoreFilters wanted={wanted} set={setWanted} facets={facets} />
        <Views
          wanted={asked}
          columns={layout.columns}
          choose={(view) => {
            setWanted({ ...FIRST, ...view.wanted })
            setTyped(view.wanted.text)
            if (view.columns) setLayout({ ...layout, columns: view.columns })
          }}
        />
        {wider && <ColumnMenu layout={layout} setLayout={setLayout} />}
        <Tooltip label={besides ? t('archive.studies.hideDetails') : t('archive.studies.showDetails')}>
          <ActionIcon
            variant="default"
            size={30}
            aria-label={besides ? t('archive.studies.hideDetails') : t('archive.studies.showDetails')}
            onClick={() => (wide ? setLayout({ ...layout, details: !layout.details }) : setDrawer(active !== null))}
          >
            {besides ? <IconLayoutSidebarRightCollapse size={16} /> : <IconLayoutSidebarRightExpand size={16} />}
          </ActionIcon>
        </Tooltip>
        <Text className={classes.found} aria-live="polite">
          {query.isSuccess && found}
        </Text>
      </div>
      <div className={classes.list} data-stale={stale || undefined} aria-busy={stale}>
        {query.isError && rows.length === 0 ? (
          <Stack p="xl" maw={480} mx="auto">
            <ErrorNote error={query.error} again={() => void query.refetch()} />
          </Stack>
        ) : (
          <Grid
            label={t('archive.studies.title')}
            columns={columns}
            rows={rows}
            rowId={(row) => String(row.row)}
            rowHeight={rowHeight}
            count={total ?? undefined}
            order={{ by: wanted.order ?? 'date', descending: wanted.descending ?? true }}
            onOrder={(order) => setWanted({ ...wanted, order: order.by as Order, descending: order.descending })}
            selected={selected}
            onSelect={setSelected}
            onActive={(row) => {
              setActive(row)
              if (!wide) setDrawer(true)
            }}
            onOpen={open}
            onEnd={more}
            widths={layout.widths}
            onWidths={wider ? (widths) => setLayout({ ...layout, widths }) : undefined}
            empty={
              query.isPending ? (
                t('app.loading')
              ) : filtered ? (
                <>
                  <Text fw={550}>{t('archive.studies.none')}</Text>
                  <Text size="sm">{t('archive.studies.noneHelp')}</Text>
                  <div style={{ marginTop: '0.5rem' }}>
                    <WhyButton number={NUMBER.test(asked.text) ? asked.text : ''} />
                  </div>
                </>
              ) : (
                <>
                  <Text fw={550}>{t('archive.studies.nothing')}</Text>
                  <Text size="sm">{t('archive.studies.nothingHelp')}</Text>
                </>
              )
            }
          />
        )}
        {arrived > 0 && (
          <div className={classes.arrived} role="status">
            {t('archive.studies.arrived', { count: arrived })}
            <Button size="compact-xs" radius="xl" onClick={refresh}>
              {t('archive.studies.show')}
            </Button>
          </div>
        )}
      </div>
      {besides && (
        <aside className={classes.details} aria-label={t('archive.studies.details')}>
          {details ?? (
            <Text size="sm" c="dimmed" ta="center" mt="xl">
              {t('archive.study.choose')}
            </Text>
          )}
        </aside>
      )}
      {!wide && (
        <Drawer opened={drawer && active !== null} onClose={() => setDrawer(false)} position="bottom" size="80%" title={t('archive.studies.details')}>
          {details}
        </Drawer>
      )}
    </div>
  )
}

function ColumnMenu({ layout, setLayout }: { layout: Layout; setLayout: (layout: Layout) => void }) {
  const { t } = useTranslation()
  const all = studyColumns(t)
  const toggle = (id: string) => {
    const shown = new Set(layout.columns)
    if (!shown.delete(id)) shown.add(id)
    // in the order in which all are listed; the patient stays
    setLayout({ ...layout, columns: all.map((one) => one.id).filter((one) => shown.has(one) || one === 'patient') })
  }
  return (
    <Popover position="bottom-end" shadow="md">
      <Popover.Target>
        <Tooltip label={t('archive.studies.columns')}>
          <ActionIcon variant="default" size={30} aria-label={t('archive.studies.columns')}>
            <IconColumns3 size={16} />
          </ActionIcon>
        </Tooltip>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap={6}>
          {all.map((column) => (
            <Checkbox
              key={column.id}
              label={column.title}
              checked={layout.columns.includes(column.id)}
              disabled={column.id === 'patient'}
              onChange={() => toggle(column.id)}
            />
          ))}
          <Button variant="subtle" size="compact-xs" onClick={() => setLayout({ ...USUAL, details: layout.details })}>
            {t('archive.studies.columnsReset')}
          </Button>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  )
}
