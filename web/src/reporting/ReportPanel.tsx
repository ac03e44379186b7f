import { ActionIcon, Alert, Anchor, Badge, Tabs, Tooltip } from '@mantine/core'
import { IconAlertTriangle, IconArrowBackUp, IconExternalLink, IconList } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { useMay } from '../access/session'
import { age, moment } from '../app/format'
import { Facts } from '../app/ListPage'
import { usePlaceNames } from '../department/model'
import { Actions } from './Actions'
import { CriticalBox } from './CriticalBox'
import { useEditing, type Editing } from './editing'
import { Editor } from './Editor'
import { Final } from './Final'
import { History } from './History'
import { nameOf, personNames, procedure, type Report } from './model'
import { Priors } from './Priors'
import classes from './Workplace.module.css'

interface Props {
  report: Report
  /** In a window of its own. */
  alone: boolean
  reload: () => void
}

/** A report: who it is about, what is written, what there was before. */
export function ReportPanel({ report, alone, reload }: Props) {
  const { t } = useTranslation()
  const [tab, setTab] = useState<string | null>('report')
  const editable = report.allowed.includes('edit')
  const editing = useEditing(report, editable)
  const exam = report.exams[0]!
  const [first, second] = personNames(exam.person)
  const stat = report.exams.some((one) => one.stat)
  return (
    <section className={classes.panel} aria-label={t('reporting.report')}>
      <header className={classes.head}>
        <div className={classes.line}>
          <div className={classes.who}>
            <h1 className={classes.name}>{first}</h1>
            {second && <span className={classes.dim}>{second}</span>}
            <span className={classes.dim}>
              {[exam.person.sex && t(`reporting.sex.${exam.person.sex}`), age(exam.person.age), exam.person.patient_id].filter(Boolean).join(' · ')}
            </span>
          </div>
          <span className={classes.right}>
            {stat && (
              <Badge size="xs" color="red" variant="filled" radius="xs">
                {t('reporting.stat')}
              </Badge>
            )}
            <Badge size="sm" variant="light" radius="xs" color={['final', 'corrected'].includes(report.status) ? 'teal' : 'gray'}>
              {t(`reporting.status.${report.status}`)}
            </Badge>
            {!alone && (
              <Tooltip label={t('reporting.ownWindow')}>
                <ActionIcon
                  variant="subtle"
                  color="gray"
                  aria-label={t('reporting.ownWindow')}
                  onClick={() => window.open(`/reports/${report.id}/text`, `report-${report.id}`, 'popup,width=900,height=1000')}
                >
                  <IconExternalLink size={15} />
                </ActionIcon>
              </Tooltip>
            )}
            {!alone && (
              <Tooltip label={t('app.nav.reading')}>
                <ActionIcon component={Link} href="/reading" variant="subtle" color="gray" aria-label={t('app.nav.reading')}>
                  <IconList size={15} />
                </ActionIcon>
              </Tooltip>
            )}
          </span>
        </div>
        {report.exams.map((one) => (
          <div key={one.id} className={classes.dim}>
            {[one.number, one.modality, procedure(one), one.side && t(`reporting.side.${one.side}`), moment(one.finished_at ?? one.started_at)].filter(Boolean).join(' · ')}
          </div>
        ))}
        <Kept editing={editing} report={report} editable={editable} />
      </header>
      <Tabs className={classes.tabs} value={tab} onChange={setTab} variant="default">
        <Tabs.List>
          <Tabs.Tab value="report">{t('reporting.report')}</Tabs.Tab>
          <Tabs.Tab value="request">{t('reporting.request')}</Tabs.Tab>
          <Tabs.Tab value="priors">
            {t('reporting.priors')} {report.priors.length || ''}
          </Tabs.Tab>
          <Tabs.Tab value="history">
            {t('reporting.history')} {report.revisions.length || ''}
          </Tabs.Tab>
        </Tabs.List>
      </Tabs>
      <div className={classes.body} role="tabpanel">
        {tab === 'report' && (
          <>
            {report.returned && (
              <Alert color="yellow" variant="light" p="xs" mb="xs" icon={<IconArrowBackUp size={16} />}>
                {t('reporting.wasReturned')} {report.returned_reason}
              </Alert>
            )}
            {report.pending.kind && (
              <Alert color="yellow" variant="light" p="xs" mb="xs" icon={<IconAlertTriangle size={16} />}>
                {t(`reporting.pending.${report.pending.kind}`, { name: nameOf(report.people, report.pending.by) })} {report.pending.reason}
              </Alert>
            )}
            <CriticalBox report={report} reload={reload} />
            {editable ? <Editor report={report} editing={editing} reload={reload} /> : <Reading report={report} />}
          </>
        )}
        {tab === 'request' && <Request report={report} />}
        {tab === 'priors' && <Priors report={report} editing={editable ? editing : null} />}
        {tab === 'history' && <History report={report} />}
      </div>
      <Actions report={report} editing={editing} reload={reload} />
    </section>
  )
}

/** What stands there, for whoever may not write it now. */
function Reading({ report }: { report: Report }) {
  const { t } = useTranslation()
  if (report.final && !report.pending.kind) {
    return <Final final={report.final} people={report.people} signatures={report.signatures} />
  }
  const content = report.content ?? report.final?.content
  if (!content) return <p className={classes.dim}>{t('reporting.notYours')}</p>
  return (
    <>
      {report.final && <Final final={report.final} people={report.people} signatures={report.signatures} />}
      <Final final={{ content, addenda: [] }} people={report.people} signatures={[]} />
    </>
  )
}

function Kept({ editing, report, editable }: { editing: Editing; report: Report; editable: boolean }) {
  const { t } = useTranslation()
  if (!editable) {
    const by = report.locked_by && nameOf(report.people, report.locked_by)
    return <div className={classes.dim}>{by ? t('reporting.lockedBy', { name: by }) : t('reporting.writtenBy', { names: [report.author, report.reviewer].filter(Boolean).map((one) => nameOf(report.people, one)).join(' → ') || '–' })}</div>
  }
  return (
    <div className={classes.dim} role="status" data-keeping={editing.keeping}>
      {t(`reporting.keeping.${editing.keeping}`, { time: editing.keptAt ? moment(editing.keptAt.toISOString()).slice(11) : '' })}
    </div>
  )
}

function Request({ report }: { report: Report }) {
  const { t } = useTranslation()
  const may = useMay()
  const place = usePlaceNames()
  const exam = report.exams[0]!
  const cautions = Object.entries(report.request.cautions).filter(([, value]) => value !== '' && value !== null)
  return (
    <Facts
      facts={[
        [t('reporting.facts.diagnosis'), report.request.diagnosis],
        [t('reporting.facts.history'), report.request.history],
        [t('reporting.facts.purpose'), report.request.purpose],
        ...cautions.map(([name, value]): [string, string] => [t(`reporting.cautions.${name}`, name), name === 'pregnancy' ? t(`department.pregnancies.${value as 'no'}`, { defaultValue: String(value) }) : String(value)]),
        [t('reporting.facts.priority'), t(`reporting.priority.${report.request.priority}`, report.request.priority)],
        [t('reporting.facts.requester'), exam.requester],
        [t('reporting.facts.from'), [place('department', exam.asked_by), place('ward', exam.ward), exam.bed].filter(Boolean).join(' ')],
        [t('reporting.facts.ordered'), moment(exam.ordered_at)],
        [t('reporting.facts.arrived'), moment(exam.arrived_at)],
        [t('reporting.facts.started'), moment(exam.started_at)],
        [t('reporting.facts.finished'), moment(exam.finished_at)],
        [t('reporting.facts.station'), exam.station],
        [t('reporting.facts.due'), moment(exam.due_at)],
        [t('reporting.number'), may('persons') && <Anchor component={Link} href={`/exams/${exam.id}`} size="sm">{exam.number}</Anchor>],
      ]}
    />
  )
}
