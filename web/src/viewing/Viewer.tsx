import { Button, Loader, Stack as Column } from '@mantine/core'
import { useQueries, useQuery } from '@tanstack/react-query'
import { useEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useParams, useSearchParams } from 'wouter'

import { api, data } from '../api/client'
import { ErrorNote } from '../app/errors'
import { useShortcuts } from '../app/shortcuts'
import { WhyButton } from '../archive/why/WhyButton'
import { loadSeries, stacksOf, type Stack } from './engine/series'
import type { VolumeView } from './engine/volume'
import { chooseTool, referenceLines, TOOLS, type ToolId } from './engine/tools'
import { CT_PRESETS } from './engine/windows'
import { useModel, Viewing } from './model'
import { OtherStudy } from './OtherStudy'
import { PaneView } from './PaneView'
import { Toolbar } from './Toolbar'
import { Entries, Heading } from './SeriesList'
import { Measurements } from './measure/Measurements'
import { VolumePanes } from './VolumePanes'
import classes from './Viewer.module.css'

/** Series whose metadata are read at once, at the most; the rest when it is chosen. */
const AT_ONCE = 12

export default function Viewer() {
  const { study = '' } = useParams<{ study: string }>()
  return <OneStudy key={study} study={study} />
}

function OneStudy({ study }: { study: string }) {
  const { t } = useTranslation()
  const [search] = useSearchParams()
  const [viewing] = useState(() => new Viewing())
  const model = useModel(viewing)
  const [volume, setVolume] = useState<VolumeView | null>(null)
  const [asked, setAsked] = useState<ReadonlySet<string>>(new Set())

  const details = useQuery({
    queryKey: ['study', study],
    queryFn: () => data(api.GET('/studies/{study_uid}', { params: { path: { study_uid: study } } })),
  })
  const content = useMemo(() => details.data?.content ?? [], [details.data])
  const wanted = search.get('series') ?? ''
  const others = [...new Set((search.get('with') ?? '').split(','))].filter((one) => /^[0-9.]{1,64}$/.test(one) && one !== study).slice(0, 4)
  const first = content.find((one) => one.series_uid === wanted) ?? content.find((one) => one.images > 0) ?? content[0]

  const loads = useQueries({
    queries: content.map((one, at) => ({
      queryKey: ['series', study, one.series_uid],
      queryFn: async ({ signal }: { signal: AbortSignal }) =>
        stacksOf(study, one.series_uid, await loadSeries(study, one.series_uid, signal)),
      enabled: at < AT_ONCE || one === first || asked.has(one.series_uid),
      staleTime: Infinity,
    })),
  })
  const stacks = loads.flatMap((one) => one.data ?? [])
  const begun = useRef(false)

  // the first series goes on the screen as soon as it is known, whatever the others do
  const opening = first && loads[content.indexOf(first)]?.data?.[0]
  useEffect(() => {
    if (opening && viewing.get().panes[0]?.stack === null && !begun.current) viewing.show(opening, 0)
    if (opening) begun.current = true
  }, [opening, viewing])

  useEffect(() => chooseTool(model.tool), [model.tool])

  const source = model.lines && model.panes.length > 1 && !model.maximised ? model.panes[model.active]!.id : null
  useEffect(() => referenceLines(source), [source])

  const view = () => viewing.view()
  const step = (by: number) => {
    const at = stacks.findIndex((one) => one.id === model.panes[model.active]?.stack?.id)
    const next = stacks[at + by]
    if (next) viewing.show(next)
  }
  useShortcuts(t('viewing.title'), [
    ...(Object.keys(TOOLS) as ToolId[]).map((tool) => ({
      keys: TOOLS[tool].key,
      words: t(`viewing.tool.${tool}`),
      run: () => viewing.take(tool),
    })),
    { keys: 'ArrowDown', words: t('viewing.nextImage'), run: () => view()?.scrollBy(1) },
    { keys: 'ArrowUp', words: t('viewing.previousImage'), run: () => view()?.scrollBy(-1) },
    { keys: 'PageDown', words: t('viewing.nextSeries'), run: () => step(1) },
    { keys: 'PageUp', words: t('viewing.previousSeries'), run: () => step(-1) },
    { keys: 'i', words: t('viewing.invert'), run: () => view()?.invert() },
    { keys: 'r', words: t('viewing.rotate'), run: () => view()?.rotate(90) },
    { keys: 'h', words: t('viewing.flipHorizontal'), run: () => view()?.flip('horizontal') },
    { keys: 'v', words: t('viewing.flipVertical'), run: () => view()?.flip('vertical') },
    { keys: '0', words: t('viewing.reset'), run: () => view()?.reset() },
    ...CT_PRESETS.slice(0, 9).map((preset, at) => ({
      keys: String(at + 1),
      words: `${t('viewing.window')}: ${t(`viewing.preset.${preset.id}`)}`,
      run: () => (volume ?? view())?.window(preset.center, preset.width),
    })),
    { keys: 'j', words: t('viewing.play'), run: () => viewing.play() },
    { keys: 'k', words: t('viewing.link'), run: () => viewing.link() },
    { keys: 'u', words: t('viewing.overlays'), run: () => viewing.showOverlays() },
    { keys: 'x', words: t('viewing.crosshairs'), run: () => model.volume && viewing.take('crosshairs') },
    {
      keys: 'o',
      words: t('viewing.planes'),
      run: () => {
        const active = model.panes[model.active]?.stack
        if (model.volume) viewing.cut(null)
        else if (active?.volume) viewing.cut(active)
      },
    },
  ])

  if (details.isPending) return <Centre><Loader size="sm" /></Centre>
  if (details.isError) {
    return (
      <Centre>
        <Column maw={420}>
          <ErrorNote error={details.error} again={() => void details.refetch()} />
          <WhyButton number={study} />
          <Button component={Link} href="/studies" variant="light">
            {t('app.nav.studies')}
          </Button>
        </Column>
      </Centre>
    )
  }
  const shownIds = new Set(model.panes.map((pane) => pane.stack?.id))
  const patients = new Set(model.panes.flatMap((pane) => (pane.stack ? [patientOf(pane.stack)] : [])))
  return (
    <div className={classes.page} data-study={study}>
      <Toolbar viewing={viewing} model={model} stacks={stacks} />
      <nav className={classes.series} aria-label={t('viewing.seriesList')}>
        <Heading study={details.data!} />
        {content.map((one, at) => (
          <Entries
            key={one.series_uid}
            series={one}
            study={study}
            stacks={loads[at]?.data}
            failed={Boolean(loads[at]?.isError)}
            shown={shownIds}
            choose={(stack) => (stack ? viewing.show(stack) : setAsked(new Set([...asked, one.series_uid])))}
          />
        ))}
        {others.map((one) => (
          <OtherStudy key={one} study={one} viewing={viewing} shown={shownIds} />
        ))}
      </nav>
      {model.volume && <VolumePanes key={model.volume.id} stack={model.volume} opened={setVolume} close={() => viewing.cut(null)} />}
      {!model.volume && <main
        className={classes.panes}
        style={
          model.maximised
            ? undefined
            : { gridTemplate: `repeat(${model.rows}, minmax(0, 1fr)) / repeat(${model.columns}, minmax(0, 1fr))` }
        }
      >
        {model.panes.map((pane, at) =>
          model.maximised && at !== model.active ? null : (
            <PaneView key={pane.id} pane={pane} index={at} viewing={viewing} active={at === model.active} find={(id) => stacks.find((one) => one.id === id) ?? viewing.stackOf(id)} />
          ),
        )}
        {patients.size > 1 && (
          <div className={classes.warning} role="alert">
            {t('viewing.twoPatients')}
          </div>
        )}
      </main>}
      <Measurements viewing={viewing} study={study} stacks={stacks} />
    </div>
  )
}

function patientOf(stack: Stack): string {
  const json = stack.instances[0]!.json
  return JSON.stringify([json['00100020']?.Value, json['00100021']?.Value, json['00100010']?.Value])
}

function Centre({ children }: { children: React.ReactNode }) {
  return (
    <div style={{ position: 'relative', height: '100%' }}>
      <div className={classes.centre}>{children}</div>
    </div>
  )
}
