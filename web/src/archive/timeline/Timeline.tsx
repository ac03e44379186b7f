import { Button, Checkbox, Chip, Drawer, Group, Loader, Text } from '@mantine/core'
import { useMediaQuery } from '@mantine/hooks'
import { IconArrowLeft, IconLayoutColumns } from '@tabler/icons-react'
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { Suspense, useEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useLocation, useParams } from 'wouter'

import { useMay } from '../../access/session'
import { api, data } from '../../api/client'
import type { components } from '../../api/schema'
import { ErrorNote } from '../../app/errors'
import { clock, day, names, sex } from '../../app/format'
import { kinds, type TimelineItem } from '../../app/items'
import { usePreference } from '../../app/preferences'
import { useShortcuts } from '../../app/shortcuts'
import list from '../StudyList.module.css'
import { WhyButton } from '../why/WhyButton'
import classes from './Timeline.module.css'

type Place = components['schemas']['TimelinePlace']

const PAGE = 50
const idOf = (item: TimelineItem) => `${item.kind} ${item.place.key}`

/** Everything of a patient in one window: what there is in the order of time, and beside it what is chosen. */
export default function Timeline() {
  const { study = '' } = useParams<{ study: string }>()
  return <OfStudy key={study} study={study} />
}

function OfStudy({ study }: { study: string }) {
  const { t } = useTranslation()
  const may = useMay()
  const [, navigate] = useLocation()
  const [wanted, setWanted] = usePreference<string[]>('timeline.kinds', [])
  const [modalities, setModalities] = useState<string[]>([])
  const [chosen, choose] = useState<string | null>(null)
  const [marked, setMarked] = useState<string[]>([])
  const wide = useMediaQuery('(min-width: 62em)', true, { getInitialValueInEffect: false })
  const query = useInfiniteQuery({
    queryKey: ['timeline', study, wanted, modalities],
    initialPageParam: null as Place | null,
    queryFn: ({ pageParam }) =>
      data(
        api.POST('/timeline', {
          body: { study_uid: study, kinds: wanted, modalities, before: pageParam, limit: PAGE },
        }),
      ),
    getNextPageParam: (page) => page.following ?? undefined,
    placeholderData: keepPreviousData,
  })
  const first = query.data?.pages[0]
  const items = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data])
  const at = items.findIndex((item) => idOf(item) === chosen)
  // the study from which one came is what one looks at first
  const shown = items[at] ?? (wide ? (items.find((one) => one.kind === 'study' && one.study_uid === study) ?? items[0]) : undefined)
  const rows = useRef<HTMLDivElement>(null)

  const step = (by: number) => {
    const here = shown ? items.indexOf(shown) : -1
    const next = items[Math.min(Math.max(here + by, 0), items.length - 1)]
    if (next) choose(idOf(next))
  }
  useEffect(() => {
    rows.current?.querySelector('[data-chosen]')?.scrollIntoView({ block: 'nearest' })
  }, [chosen])
  const compare = () => marked.length === 2 && navigate(`/view/${marked[0]}?with=${marked[1]}`)
  const mark = (uid: string) =>
    setMarked((before) => (before.includes(uid) ? before.filter((one) => one !== uid) : [...before, uid].slice(-2)))

  useShortcuts(t('archive.timeline.title'), [
    { keys: 'ArrowDown', words: t('archive.timeline.next'), run: () => step(1) },
    { keys: 'ArrowUp', words: t('archive.timeline.previous'), run: () => step(-1) },
    {
      keys: 'o',
      words: t('archive.study.open'),
      run: () => shown?.study_uid && may('view') && navigate(`/view/${shown.study_uid}`),
    },
    { keys: 'm', words: t('archive.timeline.mark'), run: () => shown?.kind === 'study' && mark(shown.study_uid) },
    { keys: 'c', words: t('archive.timeline.compare'), run: compare },
    { keys: 'Escape', words: t('app.actions.back'), run: () => navigate('/studies') },
  ])

  if (query.isError && !first) {
    return (
      <div className={classes.note}>
        <ErrorNote error={query.error} again={() => void query.refetch()} />
        <Group justify="center" mt="sm">
          <WhyButton number={study} />
        </Group>
      </div>
    )
  }
  if (!first) return <div className={classes.note}><Loader size="sm" /></div>
  const [name, second] = names(first.patient)
  const present = kinds.filter((one) => (first.kinds[one.kind] ?? 0) > 0)
  const Details = kinds.find((one) => one.kind === shown?.kind)?.details
  const details = shown && Details && (
    <Suspense fallback={<Loader size="xs" />}>
      <Details key={idOf(shown)} item={shown} />
    </Suspense>
  )
  return (
    <div className={classes.page}>
      <div className={classes.head}>
        <Button
          component={Link}
          href="/studies"
          variant="subtle"
          color="gray"
          px={6}
          aria-label={t('app.actions.back')}
          title={t('app.actions.back')}
        >
          <IconArrowLeft size={16} />
        </Button>
        <h1 className={classes.title}>
          {name || first.patient.id}
          {second && <span className={list.second}>{second}</span>}
        </h1>
        <Text size="xs" c="dimmed">
          {[first.patient.id, sex(first.patient.sex), first.patient.birth_date && t('archive.study.born', { date: day(first.patient.birth_date) })]
            .filter(Boolean)
            .join(' · ')}
        </Text>
        <Group gap={6} ml="auto" role="group" aria-label={t('archive.timeline.filter')}>
          {present.length > 1 &&
            present.map((one) => (
              <Chip
                key={one.kind}
                size="xs"
                radius="sm"
                checked={wanted.includes(one.kind)}
                onChange={(on) => setWanted(on ? [...wanted, one.kind] : wanted.filter((kind) => kind !== one.kind))}
              >
                {t(one.word, { count: first.kinds[one.kind] })} {first.kinds[one.kind]}
              </Chip>
            ))}
          {first.modalities.length > 1 &&
            first.modalities.map((one) => (
              <Chip
                key={one}
                size="xs"
                radius="sm"
                variant="light"
                checked={modalities.includes(one)}
                onChange={(on) => setModalities(on ? [...modalities, one] : modalities.filter((each) => each !== one))}
              >
                {one}
              </Chip>
            ))}
          {may('view') && (
            <Button leftSection={<IconLayoutColumns size={15} />} disabled={marked.length !== 2} onClick={compare}>
              {t('archive.timeline.compare')}
            </Button>
          )}
        </Group>
      </div>
      <div className={classes.list} ref={rows}>
        {items.length === 0 && <div className={classes.note}>{t('archive.timeline.none')}</div>}
        {years(items).map(([year, ofYear]) => (
          <section key={year}>
            <h2 className={classes.year}>{year || t('archive.timeline.undated')}</h2>
            <ul className={classes.items}>
              {ofYear.map((item) => (
                <Row
                  key={idOf(item)}
                  item={item}
                  chosen={item === shown}
                  choose={() => choose(idOf(item))}
                  marked={marked.includes(item.study_uid)}
                  mark={may('view') && item.kind === 'study' ? () => mark(item.study_uid) : undefined}
                />
              ))}
            </ul>
          </section>
        ))}
        {query.hasNextPage && (
          <Group justify="center" mt="sm">
            <Button variant="default" loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
              {t('app.actions.loadMore')}
            </Button>
          </Group>
        )}
      </div>
      {wide ? (
        <aside className={classes.details} aria-label={t('archive.studies.details')}>
          {details}
        </aside>
      ) : (
        <Drawer opened={at >= 0} onClose={() => choose(null)} position="bottom" size="85%" title={t('archive.studies.details')}>
          {details}
        </Drawer>
      )}
    </div>
  )
}

function years(items: TimelineItem[]): [string, TimelineItem[]][] {
  const found: [string, TimelineItem[]][] = []
  for (const item of items) {
    const year = item.place.date.slice(0, 4)
    const last = found.at(-1)
    if (last?.[0] === year) last[1].push(item)
    else found.push([year, [item]])
  }
  return found
}

interface RowProps {
  item: TimelineItem
  chosen: boolean
  choose: () => void
  marked: boolean
  mark?: () => void
}

function Row({ item, chosen, choose, marked, mark }: RowProps) {
  const { t } = useTranslation()
  const kind = kinds.find((one) => one.kind === item.kind)
  const title = item.title || t('archive.study.noDescription')
  if (!kind) return null
  return (
    <li className={classes.item} data-chosen={chosen || undefined}>
      <div className={classes.mark}>
        {mark ? (
          <Checkbox size="xs" aria-label={t('archive.timeline.markThis', { title })} checked={marked} onChange={mark} />
        ) : (
          <kind.icon size={16} stroke={1.6} aria-hidden />
        )}
      </div>
      <div className={classes.when}>
        {day(item.place.date)} <span className={classes.dim}>{clock(item.place.time)}</span>
      </div>
      <div className={classes.what}>
        <button type="button" className={classes.open} aria-current={chosen || undefined} onClick={choose}>
          {item.modalities.length > 0 && <span className={list.modality}>{item.modalities.join(' ')}</span>}
          <span>{title}</span>
        </button>
        <Suspense>
          <kind.line item={item} />
        </Suspense>
      </div>
    </li>
  )
}
