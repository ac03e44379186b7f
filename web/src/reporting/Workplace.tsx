import { Center, Loader, SegmentedControl } from '@mantine/core'
import { useMediaQuery } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useRef, useState, type PointerEvent } from 'react'
import { useTranslation } from 'react-i18next'
import { useParams } from 'wouter'

import { api, data } from '../api/client'
import { ErrorNote } from '../app/errors'
import { usePreference } from '../app/preferences'
import { OneStudy } from '../viewing/Viewer'
import { ReportPanel } from './ReportPanel'
import classes from './Workplace.module.css'

const [NARROWEST, WIDEST] = [320, 900]

/** The images of an exam, and its report beside them; the report alone for a second screen (`/reports/7/text`). */
export default function Workplace() {
  const { report = '', part } = useParams<{ report: string; part?: string }>()
  const { t } = useTranslation()
  const wide = useMediaQuery('(min-width: 62em)', true, { getInitialValueInEffect: false })
  const [kept, keep] = usePreference('reading.panel', 440)
  const [dragged, setDragged] = useState<number | null>(null)
  const [side, setSide] = useState<'images' | 'report'>('report')
  const page = useRef<HTMLDivElement>(null)
  const number = Number(report)
  const query = useQuery({
    queryKey: ['report', number],
    queryFn: () => data(api.GET('/reports/{report}', { params: { path: { report: number } } })),
    refetchInterval: 30_000,
    retry: false,
  })

  if (query.isPending) {
    return (
      <Center h="100%">
        <Loader size="sm" />
      </Center>
    )
  }
  if (!query.data) {
    return (
      <Center h="100%" p="xl">
        <ErrorNote error={query.error} again={() => void query.refetch()} />
      </Center>
    )
  }
  const alone = part === 'text'
  const exam = query.data.exams[0]!
  const study = exam.study_uids[0]
  const panel = <ReportPanel key={number} report={query.data} alone={alone} reload={() => void query.refetch()} />
  if (alone) return <div className={classes.alone}>{panel}</div>
  const images = study ? <OneStudy key={study} study={study} beside={{ row: exam.row, patient: [exam.person.name, exam.person.patient_id].filter(Boolean).join(' ') }} /> : <Center h="100%">{t('reporting.noImages')}</Center>
  if (!wide) {
    return (
      <div className={classes.narrow}>
        <SegmentedControl
          fullWidth
          value={side}
          onChange={(value) => setSide(value as 'images' | 'report')}
          data={(['images', 'report'] as const).map((one) => ({ value: one, label: t(`reporting.sides.${one}`) }))}
        />
        {/* both stay: what is drawn and what is typed is there when one comes back */}
        <div hidden={side !== 'images'}>{images}</div>
        <div hidden={side !== 'report'}>{panel}</div>
      </div>
    )
  }
  const width = dragged ?? kept
  const drag = (event: PointerEvent<HTMLDivElement>) => {
    event.preventDefault()
    const edge = page.current!.getBoundingClientRect().right
    const handle = event.currentTarget
    handle.setPointerCapture(event.pointerId)
    let wanted = width
    handle.onpointermove = (moved) => {
      wanted = Math.min(WIDEST, Math.max(NARROWEST, edge - moved.clientX))
      setDragged(wanted)
    }
    handle.onpointerup = () => {
      handle.onpointermove = handle.onpointerup = null
      keep(Math.round(wanted))
    }
  }
  return (
    <div ref={page} className={classes.page} style={{ gridTemplateColumns: `minmax(0, 1fr) 5px ${width}px` }}>
      <div className={classes.images}>{images}</div>
      <div className={classes.edge} onPointerDown={drag} role="separator" aria-orientation="vertical" aria-label={t('reporting.resize')} />
      {panel}
    </div>
  )
}
