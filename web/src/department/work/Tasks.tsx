/** What somebody has to look at, until it is said what came of it. */
import { Badge, Button, Select, Stack, Text, Textarea } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { useMay } from '../../access/session'
import { api, data } from '../../api/client'
import { showError } from '../../app/errors'
import { moment } from '../../app/format'
import { Named, Procedure, State } from '../State'
import type { Column } from '../../app/Grid'
import { ListPage } from '../../app/ListPage'
import { kindOf, KINDS, type Task } from './model'
import { TaskBody } from './TaskBody'
import classes from './Work.module.css'

export default function Tasks() {
  const { t } = useTranslation()
  const [kind, setKind] = useState<string | null>(null)
  const [chosen, choose] = useState<string | null>(null)
  const query = useQuery({
    queryKey: ['tasks', kind],
    queryFn: () => data(api.POST('/tasks', { body: { kinds: kind ? [kind] : [], limit: 300 } })),
    placeholderData: keepPreviousData,
    refetchInterval: 15_000,
  })
  const rows = useMemo(() => query.data?.tasks ?? [], [query.data])
  const counts = query.data?.counts ?? {}
  const task = rows.find((one) => String(one.id) === chosen)

  const columns = useMemo<Column<Task>[]>(
    () => [
      {
        id: 'urgent',
        title: '',
        width: 78,
        cell: (one) =>
          one.urgent && (
            <Badge size="xs" color="red" variant="filled" radius="xs">
              {t('tasks.urgent')}
            </Badge>
          ),
      },
      { id: 'kind', title: t('tasks.kind'), width: 230, cell: (one) => words(t, one.kind) },
      { id: 'exam', title: t('tasks.exam'), width: 124, cell: (one) => one.number },
      { id: 'patient', title: t('patients.name'), width: 190, cell: (one) => one.listed && <Named row={one.listed} /> },
      { id: 'procedure', title: t('department.procedure'), width: 180, cell: (one) => one.listed && <Procedure exam={one.listed.exam} /> },
      { id: 'more', title: t('tasks.more'), width: 280, cell: (one) => <TaskBody task={one} /> },
      { id: 'since', title: t('tasks.since'), width: 128, cell: (one) => moment(one.raised_at) },
    ],
    [t],
  )
  const total = Object.values(counts).reduce((sum, one) => sum + one, 0)
  return (
    <ListPage
      title={t('tasks.title')}
      name="tasks"
      tools={
        <Select
          aria-label={t('tasks.kind')}
          placeholder={t('tasks.any')}
          clearable
          w={280}
          data={KINDS.filter((one) => counts[one] || one === kind).map((one) => ({ value: one, label: `${t(`tasks.kinds.${one}`)} (${counts[one] ?? 0})` }))}
          value={kind}
          onChange={setKind}
        />
      }
      found={query.data ? t('tasks.found', { count: kind ? rows.length : total }) : ''}
      columns={columns}
      rows={rows}
      rowId={(one) => String(one.id)}
      query={query}
      empty={t('tasks.empty')}
      chosen={chosen}
      choose={choose}
      details={task && <Details key={task.id} task={task} done={() => choose(null)} />}
      detailsTitle={task && words(t, task.kind)}
    />
  )
}

function words(t: ReturnType<typeof useTranslation>['t'], kind: string): string {
  const known = kindOf(kind)
  return known ? t(`tasks.kinds.${known}`) : kind
}

function Details({ task, done }: { task: Task; done: () => void }) {
  const { t } = useTranslation()
  const may = useMay()
  const client = useQueryClient()
  const [outcome, setOutcome] = useState('')
  const [busy, setBusy] = useState(false)
  const kind = kindOf(task.kind)
  const close = async () => {
    setBusy(true)
    try {
      await data(api.POST('/tasks/{number}/close', { params: { path: { number: task.id } }, body: { outcome: outcome.trim() } }))
      notifications.show({ message: t('tasks.closed'), autoClose: 3_000 })
      done()
    } catch (error) {
      showError(error)
    } finally {
      setBusy(false)
      void client.invalidateQueries({ queryKey: ['tasks'] })
    }
  }
  return (
    <Stack gap="sm">
      {kind && <Text size="sm">{t(`tasks.help.${kind}`)}</Text>}
      {task.listed && (
        <Text size="sm" component="div">
          <Named row={task.listed} />
          <br />
          <Procedure exam={task.listed.exam} /> <State state={task.listed.exam.state} />
        </Text>
      )}
      <Text size="sm" c="dimmed">
        {[task.number, moment(task.raised_at)].filter(Boolean).join(' · ')}
        <br />
        <TaskBody task={task} />
      </Text>
      <div className={classes.actions} style={{ margin: 0 }}>
        {task.exam !== null && may('persons') && (
          <Button component={Link} href={`/exams/${task.exam}`} variant="default">
            {t('tasks.openExam')}
          </Button>
        )}
        {task.study_uid && may('view') && (
          <Button component={Link} href={`/view/${task.study_uid}`} variant="default">
            {t('tasks.viewImages')}
          </Button>
        )}
        {task.kind === 'moved-images' && typeof task.body.person === 'number' && may('merge') && (
          <Button component={Link} href={`/persons/${task.body.person}`} variant="default">
            {t('tasks.openJournal')}
          </Button>
        )}
        {['unmatched-images', 'unscheduled', 'wrong-worklist-entry'].includes(task.kind) && may('match-images') && (
          <Button component={Link} href="/persons/unmatched" variant="default">
            {t('tasks.openTray')}
          </Button>
        )}
      </div>
      <Textarea
        label={t('tasks.outcome')}
        autosize
        minRows={2}
        maxLength={400}
        value={outcome}
        onChange={(event) => setOutcome(event.currentTarget.value.replace(/[\r\n]+/g, ' '))}
      />
      <Button loading={busy} disabled={!outcome.trim()} onClick={() => void close()}>
        {t('tasks.close')}
      </Button>
    </Stack>
  )
}
