import { Alert, Anchor, Button, Loader, Stack as Column, Text } from '@mantine/core'
import { useCallback, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useParams, useSearchParams } from 'wouter'

import { ErrorNote } from '../app/errors'
import { WhyButton } from '../archive/why/WhyButton'
import type { Stack } from './engine/series'
import type { VolumeView } from './engine/volume'
import { chooseTool, referenceLines } from './engine/tools'
import { useBridge } from './bridge'
import { useHanging } from './hanging/useHanging'
import { useModel, Viewing } from './model'
import { useNext, useWarmUp } from './next'
import { OtherStudy } from './OtherStudy'
import { PaneView } from './PaneView'
import { Toolbar } from './Toolbar'
import { Entries, Heading } from './SeriesList'
import { Measurements } from './measure/Measurements'
import { useKeys } from './useKeys'
import { usePointing } from './usePointing'
import { useStudy } from './useStudy'
import { VolumePanes } from './VolumePanes'
import { WhichPatient } from './WhichPatient'
import classes from './Viewer.module.css'

export default function Viewer() {
  const { study = '' } = useParams<{ study: string }>()
  return <OneStudy key={study} study={study} />
}

/** A report beside which a study is shown. */
interface Beside {
  /** The row of its patient, where others have images with the study's number; 0: only he has, or it is not known. */
  row: number
  /** The patient, as people read it. */
  patient: string
}

/** A study in the viewer; priors beside it where the address names them. Of several patients with its number, one. */
export function OneStudy({ study, beside }: { study: string; beside?: Beside }) {
  const [search] = useSearchParams()
  const [chosen, choose] = useState(() => (beside ? 0 : Number(/^[0-9]{1,18}$/.exec(search.get('row') ?? '')?.[0] ?? 0)))
  // beside a report only its patient's are shown
  const row = beside?.row || chosen
  return <OneRow key={row} study={study} row={row} choose={choose} beside={beside} />
}

function OneRow({ study, row, choose, beside }: { study: string; row: number; choose: (row: number) => void; beside?: Beside }) {
  const { t } = useTranslation()
  const [search] = useSearchParams()
  const [viewing] = useState(() => new Viewing())
  const model = useModel(viewing)
  const [volume, setVolume] = useState<VolumeView | null>(null)
  const [wanted, want] = useState<ReadonlySet<string>>(new Set())
  const wants = useCallback((series: string) => want((all) => (all.has(series) ? all : new Set([...all, series]))), [])
  const series = search.get('series') ?? ''
  const asked = [...new Set((search.get('with') ?? '').split(','))].filter((one) => /^[0-9.]{1,64}$/.test(one) && one !== study).slice(0, 4)
  const { details, content, loads, stacks, mixed, undecided } = useStudy(viewing, study, 0, wanted, row)
  // of the other studies that are open, whose each is
  const [rows, setRows] = useState<Record<string, number>>({})
  const [hanging, others] = useHanging({ viewing, model, study, asked, series, wants })
  useBridge(viewing, stacks)

  useEffect(() => chooseTool(model.tool), [model.tool])

  const source = model.lines && model.panes.length > 1 && !model.maximised ? model.panes[model.active]!.id : null
  useEffect(() => referenceLines(source), [source])
  usePointing(viewing)
  const around = useNext(study)
  useWarmUp(study, model.shown)
  useKeys({ viewing, model, stacks, volume, hanging, around })

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
  if (undecided) {
    return (
      <Centre>
        <Column maw={480} p="md">
          {beside && (
            <Alert color="red" variant="light" p="sm" role="alert">
              {t('viewing.which.unknown', { patient: beside.patient })}
            </Alert>
          )}
          <WhichPatient rows={details.data!.under} choose={choose} />
        </Column>
      </Centre>
    )
  }
  const known = model.known.filter((one) => one.study === study || others.includes(one.study))
  const open = known.map((one) => ({ study: one.study, title: one.title, stacks: one.series.flatMap((each) => each.stacks ?? []), row: one.study === study ? (mixed ? row : 0) : (rows[one.study] ?? 0) }))
  const shownIds = new Set(model.panes.map((pane) => pane.stack?.id))
  const patients = new Set(model.panes.flatMap((pane) => (pane.stack ? [patientOf(pane.stack)] : [])))
  const births = new Set(model.panes.flatMap((pane) => (pane.stack && birthOf(pane.stack)) || []))
  return (
    <div className={classes.page} data-study={study}>
      <Toolbar viewing={viewing} volume={volume} model={model} stacks={stacks} study={study} hanging={hanging} around={around} />
      <nav className={classes.series} aria-label={t('viewing.seriesList')}>
        <Heading study={details.data!} />
        {mixed && (
          <Alert color="orange" variant="light" p={6} m={4}>
            <Text size="xs">{t('viewing.which.mixed')}</Text>
            {!beside?.row && (
              <Anchor component="button" size="xs" onClick={() => choose(0)}>
                {t('viewing.which.another')}
              </Anchor>
            )}
          </Alert>
        )}
        {mixed && beside && !beside.row && (
          <Alert color="red" variant="filled" p={6} m={4} role="alert">
            <Text size="xs">{t('viewing.which.unknown', { patient: beside.patient })}</Text>
          </Alert>
        )}
        {content.map((one, at) => (
          <Entries
            key={one.series_uid}
            series={one}
            study={study}
            apart={mixed}
            stacks={loads[at]?.data}
            failed={Boolean(loads[at]?.isError)}
            shown={shownIds}
            choose={(stack) => (stack ? viewing.show(stack) : wants(one.series_uid))}
          />
        ))}
        {others.map((one, at) => (
          <OtherStudy
            key={`${one} ${rows[one] ?? 0}`}
            study={one}
            row={rows[one] ?? 0}
            choose={(chosen) => setRows((all) => ({ ...all, [one]: chosen }))}
            at={at + 1} viewing={viewing} wanted={wanted} wants={wants} shown={shownIds}
          />
        ))}
      </nav>
      {model.volume && <VolumePanes key={model.volume.id} stack={model.volume} viewing={viewing} opened={setVolume} />}
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
            <PaneView key={pane.id} pane={pane} index={at} viewing={viewing} active={at === model.active} find={(id) => stacks.find((one) => one.id === id) ?? viewing.stackOf(id)} spot={model.spot} prior={pane.stack !== null && pane.stack.study !== study} />
          ),
        )}
        {(patients.size > 1 || births.size > 1) && (
          <div className={classes.warning} role="alert">
            {t('viewing.twoPatients')}
          </div>
        )}
      </main>}
      <Measurements viewing={viewing} studies={open} beside={beside !== undefined} />
    </div>
  )
}

function patientOf(stack: Stack): string {
  const json = stack.instances[0]!.json
  return JSON.stringify([json['00100020']?.Value, json['00100021']?.Value, json['00100010']?.Value])
}

/** "" where it is not told. */
const birthOf = (stack: Stack) => String(stack.instances[0]!.json['00100030']?.Value?.[0] ?? '')

function Centre({ children }: { children: React.ReactNode }) {
  return (
    <div style={{ position: 'relative', height: '100%' }}>
      <div className={classes.centre}>{children}</div>
    </div>
  )
}
