import { Badge, Button, Loader, SegmentedControl, Select, Switch, TextInput, Tooltip } from '@mantine/core'
import { useDebouncedValue, useInterval } from '@mantine/hooks'
import { IconBolt, IconLock, IconPlayerTrackNext, IconSearch } from '@tabler/icons-react'
import { keepPreviousData, useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useLocation } from 'wouter'

import { useMay, useSession } from '../access/session'
import { api, data } from '../api/client'
import { ErrorNote, showError } from '../app/errors'
import { age, moment } from '../app/format'
import { Grid, type Column } from '../app/Grid'
import { usePreference } from '../app/preferences'
import { useShortcuts } from '../app/shortcuts'
import { usePeople, usePlaceNames } from '../department/model'
// the viewer gets ready while the list is looked at
import '../viewing/order'
import { Due } from './Due'
import { personNames, procedure, type Item, type Queue } from './model'
import classes from './ReadingList.module.css'

const QUEUES: Queue[] = ['to-read', 'mine', 'returned', 'to-review', 'signed', 'all']
const MODALITIES = ['CT', 'MR', 'DX', 'CR', 'US', 'MG', 'XA', 'RF', 'NM', 'PT']

/** What is to be read and reviewed, the most urgent first. */
export default function ReadingList() {
  const { t } = useTranslation()
  const may = useMay()
  const session = useSession()
  const client = useQueryClient()
  const [, navigate] = useLocation()
  const place = usePlaceNames()
  const called = usePeople()
  const [queue, setQueue] = usePreference<Queue>('reading.queue', 'to-read')
  const [modality, setModality] = usePreference<string>('reading.modality', '')
  const [stat, setStat] = useState(false)
  const [text, setText] = useState('')
  const [typed] = useDebouncedValue(text, 250)
  const [widths, setWidths] = usePreference<Record<string, number>>('columns.reading', {})
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set())
  const [busy, setBusy] = useState(false)
  const box = useRef<HTMLInputElement>(null)
  const [now, setNow] = useState(() => Date.now())
  const ticking = useInterval(() => setNow(Date.now()), 30_000)
  useEffect(() => {
    ticking.start()
    return ticking.stop
  }, [ticking])

  const body = { queue, text: typed.trim(), modalities: modality ? [modality] : [], stat: stat || null, department: '', body_part: '', exam_class: '', station: '', overdue: false }
  const query = useInfiniteQuery({
    queryKey: ['reading', body],
    initialPageParam: '',
    queryFn: ({ pageParam }) => data(api.POST('/reading/list', { body: { ...body, limit: 100, after: pageParam } })),
    getNextPageParam: (page) => page.after || undefined,
    refetchInterval: 15_000,
    placeholderData: keepPreviousData,
  })
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data])
  const counts = query.data?.pages[0]?.counts
  const reviews = may('review')

  const open = async (row: Item) => {
    try {
      if (row.report !== null) return navigate(`/reports/${row.report}`)
      const claimed = await data(api.POST('/exams/{exam}/claim', { params: { path: { exam: row.id } }, body: { force: false } }))
      navigate(`/reports/${claimed.id}`)
    } catch (error) {
      showError(error)
      void client.invalidateQueries({ queryKey: ['reading'] })
    }
  }
  const next = async () => {
    setBusy(true)
    try {
      const wanted = queue === 'to-review' ? 'to-review' : 'to-read'
      const found = await data(api.POST('/reading/next', { body: { queue: wanted, modalities: body.modalities, stat: body.stat, body_part: '', department: '' } }))
      if (found.report !== null) navigate(`/reports/${found.report}`)
      else await query.refetch()
    } catch (error) {
      showError(error)
    } finally {
      setBusy(false)
    }
  }

  useShortcuts(t('app.nav.reading'), [
    { keys: 'n', words: t('reporting.next'), run: () => void next() },
    { keys: '/', words: t('reporting.search'), run: () => box.current?.focus() },
    ...QUEUES.map((one, at) => ({ keys: String(at + 1), words: t(`reporting.queues.${one}`), run: () => setQueue(one) })),
  ])

  const columns = useMemo<Column<Item>[]>(
    () => [
      {
        id: 'flags',
        title: '',
        width: 64,
        cell: (row) => (
          <span className={classes.flags}>
            {row.stat && (
              <Badge size="xs" color="red" variant="filled" radius="xs">
                {t('reporting.stat')}
              </Badge>
            )}
            {row.critical && (
              <Tooltip label={t('reporting.criticalOpen')}>
                <IconBolt size={14} color="var(--mantine-color-red-5)" aria-label={t('reporting.criticalOpen')} />
              </Tooltip>
            )}
            {row.locked_by && row.locked_by !== session.account.name && (
              <Tooltip label={t('reporting.lockedBy', { name: called(row.locked_by) })}>
                <IconLock size={13} aria-label={t('reporting.lockedBy', { name: called(row.locked_by) })} />
              </Tooltip>
            )}
          </span>
        ),
      },
      { id: 'due', title: t('reporting.due'), width: 76, end: true, cell: (row) => <Due at={row.due_at} done={row.final_at} now={now} /> },
      {
        id: 'name',
        title: t('reporting.patient'),
        width: 164,
        cell: (row) => {
          const [first, second] = personNames(row.person)
          return (
            <>
              {first} <span className={classes.dim}>{second}</span>
            </>
          )
        },
      },
      { id: 'age', title: t('reporting.age'), width: 78, cell: (row) => [row.person.sex && t(`reporting.sex.${row.person.sex}`), age(row.person.age)].filter(Boolean).join(' ') },
      { id: 'number', title: t('reporting.number'), width: 112, cell: (row) => row.number },
      { id: 'modality', title: t('reporting.modality'), width: 52, cell: (row) => row.modality },
      { id: 'procedure', title: t('reporting.procedure'), width: 168, cell: (row) => [procedure(row), row.side && t(`reporting.side.${row.side}`)].filter(Boolean).join(' · ') },
      { id: 'diagnosis', title: t('reporting.diagnosis'), width: 146, cell: (row) => row.diagnosis },
      { id: 'finished', title: t('reporting.finished'), width: 124, cell: (row) => moment(row.finished_at) },
      { id: 'state', title: t('reporting.state'), width: 88, cell: (row) => t(`reporting.states.${row.returned ? 'returned' : row.state}`) },
      { id: 'people', title: t('reporting.people'), width: 130, cell: (row) => [row.author, row.reviewer].filter(Boolean).map(called).join(' → ') },
      { id: 'priors', title: t('reporting.priors'), width: 62, end: true, cell: (row) => row.priors || '' },
      { id: 'source', title: t('reporting.source'), width: 150, cell: (row) => [place('department', row.asked_by), place('ward', row.ward), row.bed].filter(Boolean).join(' ') },
    ],
    [t, now, session.account.name, place, called],
  )

  return (
    <div className={classes.page}>
      <div className={classes.head}>
        <TextInput
          ref={box}
          className={classes.search}
          placeholder={t('reporting.searchHint')}
          aria-label={t('reporting.search')}
          leftSection={<IconSearch size={14} />}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
        <SegmentedControl
          className={classes.queues}
          aria-label={t('reporting.queue')}
          value={queue}
          onChange={(value) => setQueue(value as Queue)}
          data={QUEUES.filter((one) => one !== 'to-review' || reviews).map((one) => ({
            value: one,
            label: (
              <span>
                {t(`reporting.queues.${one}`)} {one !== 'all' && one !== 'signed' && counts?.[one] ? <span className={classes.count}>{counts[one]}</span> : null}
              </span>
            ),
          }))}
        />
        <Select aria-label={t('reporting.modality')} placeholder={t('reporting.anyModality')} clearable w={120} data={MODALITIES} value={modality || null} onChange={(value) => setModality(value ?? '')} />
        <Switch size="xs" label={t('reporting.onlyStat')} checked={stat} onChange={(event) => setStat(event.currentTarget.checked)} />
        <Button className={classes.end} variant="subtle" component={Link} href="/templates">
          {t('templates.title')}
        </Button>
        <Button leftSection={<IconPlayerTrackNext size={14} />} loading={busy} onClick={() => void next()}>
          {t('reporting.next')}
        </Button>
      </div>
      <div className={classes.list}>
        {query.isError ? (
          <div className={classes.note}>
            <ErrorNote error={query.error} again={() => void query.refetch()} />
          </div>
        ) : (
          <Grid
            label={t('app.nav.reading')}
            columns={columns}
            rows={rows}
            rowId={(row) => String(row.id)}
            selected={chosen}
            onSelect={choose}
            onOpen={(row) => void open(row)}
            widths={widths}
            onWidths={setWidths}
            onEnd={() => query.hasNextPage && !query.isFetching && void query.fetchNextPage()}
            empty={query.isPending ? <Loader size="sm" /> : t(typed ? 'reporting.noneFound' : `reporting.noneIn.${queue}`)}
            autoFocus
          />
        )}
      </div>
    </div>
  )
}
