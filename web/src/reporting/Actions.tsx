import { ActionIcon, Alert, Button, Group, List, Menu, Modal, PasswordInput, Stack, Text } from '@mantine/core'
import { IconBolt, IconDots, IconFileTypePdf, IconPrinter } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'

import { useMay } from '../access/session'
import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { Ask } from '../app/Ask'
import { showError, wordsOf } from '../app/errors'
import { useShortcuts } from '../app/shortcuts'
import { printReport } from './Copies'
import { RaiseCritical } from './CriticalBox'
import type { Editing } from './editing'
import { nameOf, personNames, procedure, type Report } from './model'
import classes from './Workplace.module.css'

type Warning = components['schemas']['ReportWarning']
/** Steps that need nothing but the count of changes. */
type Plain = 'withdraw' | 'review' | 'addendum' | 'discard'
/** Steps that need a reason. */
type Reasoned = 'return' | 'amend' | 'retract'

interface Props {
  report: Report
  editing: Editing
  reload: () => void
}

/** What may be done with a report now: the next step first, the rest in a menu. */
export function Actions({ report, editing, reload }: Props) {
  const { t } = useTranslation()
  const may = useMay()
  const client = useQueryClient()
  const [, navigate] = useLocation()
  const [busy, setBusy] = useState('')
  const [asking, setAsking] = useState<Reasoned | null>(null)
  const [signing, setSigning] = useState<Warning[] | null>(null)
  const [submitting, setSubmitting] = useState<Warning[] | null>(null)
  const [blocked, setBlocked] = useState<Warning[]>([])
  const [raising, setRaising] = useState(false)
  const can = (word: string) => report.allowed.includes(word)
  const path = { path: { report: report.id } }

  const done = async (leave: boolean) => {
    void client.invalidateQueries({ queryKey: ['reading'] })
    if (leave) navigate('/reading')
    else reload()
  }
  const run = async (what: string, work: () => Promise<unknown>, leave = false) => {
    setBusy(what)
    setBlocked([])
    try {
      await work()
      await done(leave)
    } catch (error) {
      showError(error)
      reload()
    } finally {
      setBusy('')
    }
  }
  const plain = (what: Plain) =>
    run(what, async () => {
      const changes = await editing.settle()
      const body = { changes }
      if (what === 'review') await api.POST('/reports/{report}/review', { params: path, body: { ...body, force: false } })
      else if (what === 'withdraw') await api.POST('/reports/{report}/withdraw', { params: path, body })
      else if (what === 'addendum') await api.POST('/reports/{report}/addendum', { params: path, body })
      else await api.POST('/reports/{report}/discard', { params: path, body })
    })

  /** Null where something is missing without which it may not leave; the warnings else. */
  const checked = async (): Promise<Warning[] | null> => {
    const content = editing.content
    const answer = await data(api.POST('/reports/{report}/check', { params: path, body: can('edit') ? { content } : {} }))
    const blocks = answer.warnings.filter((one) => one.blocks)
    setBlocked(blocks.length ? blocks : [])
    return blocks.length ? null : answer.warnings
  }
  const submit = () =>
    run('submit', async () => {
      const warnings = await checked()
      if (!warnings) return
      if (warnings.length) setSubmitting(warnings)
      else await submitted()
    })
  const submitted = async () => {
    const changes = await editing.settle()
    await api.POST('/reports/{report}/submit', { params: path, body: { changes } })
    navigate('/reading')
  }
  const sign = async () => {
    setBusy('sign')
    try {
      const warnings = await checked()
      if (warnings) setSigning(warnings)
    } catch (error) {
      showError(error)
    } finally {
      setBusy('')
    }
  }
  const release = () => run('release', async () => {
    await editing.settle()
    await api.POST('/reports/{report}/release', { params: path })
  }, true)
  const claim = () => run('claim', () => api.POST('/exams/{exam}/claim', { params: { path: { exam: report.exams[0]!.id } }, body: { force: report.author !== '' } }))
  const next = () =>
    run('next', async () => {
      await editing.settle()
      const wanted = report.status === 'in-review' || report.status === 'preliminary' ? 'to-review' : 'to-read'
      const found = await data(api.POST('/reading/next', { body: { queue: wanted, modalities: [], body_part: '', department: '' } }))
      navigate(found.report !== null ? `/reports/${found.report}` : '/reading')
    })
  const print = async () => {
    try {
      await printReport(report.id)
    } catch (error) {
      showError(error)
    }
  }

  useShortcuts(t('reporting.report'), [
    ...(can('submit') ? [{ keys: 'ctrl+Enter', words: t('reporting.act.submit'), run: () => void submit(), inText: true }] : []),
    ...(can('sign') ? [{ keys: 'alt+Enter', words: t('reporting.act.sign'), run: () => void sign(), inText: true }] : []),
    { keys: 'alt+n', words: t('reporting.next'), run: () => void next(), inText: true },
  ])

  const button = (what: string, act: () => unknown, variant: 'filled' | 'default' = 'default') =>
    can(what) && (
      <Button key={what} size="xs" variant={variant} loading={busy === what} disabled={busy !== ''} onClick={() => void act()}>
        {t(`reporting.act.${what}`)}
      </Button>
    )
  const more = (['withdraw', 'addendum', 'discard'] as const).filter(can)
  const grave = (['amend', 'retract'] as const).filter(can)
  return (
    <footer className={classes.foot}>
      {blocked.length > 0 && (
        <Alert color="red" variant="light" p="xs" w="100%" role="alert" title={t('reporting.missing')}>
          <List size="xs">
            {blocked.map((one, at) => (
              <List.Item key={at}>{warningWords(t, one)}</List.Item>
            ))}
          </List>
        </Alert>
      )}
      {button('claim', claim, 'filled')}
      {button('review', () => plain('review'), 'filled')}
      {button('submit', submit, can('sign') ? 'default' : 'filled')}
      {button('sign', sign, 'filled')}
      {button('return', () => setAsking('return'))}
      {button('release', release)}
      <span className={classes.right}>
        {report.released > 0 && (
          <Button size="xs" variant="default" component="a" href={`/api/reports/${report.id}/pdf`} target="_blank" leftSection={<IconFileTypePdf size={14} />}>
            PDF
          </Button>
        )}
        {can('print') && (
          <ActionIcon variant="default" size="input-xs" aria-label={t('reporting.act.print')} title={t('reporting.act.print')} onClick={() => void print()}>
            <IconPrinter size={15} />
          </ActionIcon>
        )}
        {may('raise-critical') && (
          <ActionIcon variant="light" color="red" size="input-xs" aria-label={t('reporting.raise')} title={t('reporting.raise')} onClick={() => setRaising(true)}>
            <IconBolt size={15} />
          </ActionIcon>
        )}
        {(more.length > 0 || grave.length > 0) && (
          <Menu position="top-end" shadow="md">
            <Menu.Target>
              <ActionIcon variant="default" size="input-xs" aria-label={t('app.nav.more')}>
                <IconDots size={15} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              {more.map((what) => (
                <Menu.Item key={what} onClick={() => void plain(what)}>
                  {t(`reporting.act.${what}`)}
                </Menu.Item>
              ))}
              {grave.map((what) => (
                <Menu.Item key={what} color="red" onClick={() => setAsking(what)}>
                  {t(`reporting.act.${what}`)}
                </Menu.Item>
              ))}
            </Menu.Dropdown>
          </Menu>
        )}
        <Button size="xs" variant="subtle" loading={busy === 'next'} disabled={busy !== ''} onClick={() => void next()}>
          {t('reporting.next')}
        </Button>
      </span>
      {asking && (
        <Ask
          title={t(`reporting.act.${asking}`)}
          text={t(`reporting.why.${asking}`)}
          word={t(`reporting.act.${asking}`)}
          grave={asking !== 'return'}
          reason={asking === 'retract' && report.pending.kind === 'retraction-asked' ? 'wanted' : 'needed'}
          close={() => setAsking(null)}
          act={async (reason) => {
            const body = { changes: await editing.settle(), reason }
            if (asking === 'return') await api.POST('/reports/{report}/return', { params: path, body })
            else if (asking === 'amend') await api.POST('/reports/{report}/amend', { params: path, body })
            else await api.POST('/reports/{report}/retract', { params: path, body })
            await done(asking === 'return')
          }}
        />
      )}
      {submitting && (
        <Ask title={t('reporting.act.submit')} text={t('reporting.submitAnyway')} word={t('reporting.act.submit')} quick reason="none" close={() => setSubmitting(null)} act={submitted}>
          <Again warnings={submitting} />
        </Ask>
      )}
      {signing && (
        <Sign
          report={report}
          warnings={signing}
          close={() => setSigning(null)}
          sign={async (password) => {
            const changes = await editing.settle()
            await api.POST('/reports/{report}/sign', { params: path, body: { changes, password } })
            await done(false)
          }}
        />
      )}
      {raising && <RaiseCritical exam={report.exams[0]!.id} close={() => setRaising(false)} done={reload} />}
    </footer>
  )
}

function warningWords(t: ReturnType<typeof useTranslation>['t'], one: Warning): string {
  const section = one.section ? String(t(`reporting.sections.${one.section}`, { defaultValue: one.section.replace('field:', '') })) : ''
  return [section, t(`reporting.warnings.${one.code}`, { words: one.words })].filter(Boolean).join(': ')
}

/** What does not fit, before it leaves. */
function Again({ warnings }: { warnings: Warning[] }) {
  const { t } = useTranslation()
  return (
    <Alert color="yellow" variant="light" p="xs" title={t('reporting.lookAgain')}>
      <List size="xs">
        {warnings.map((one, at) => (
          <List.Item key={at}>{warningWords(t, one)}</List.Item>
        ))}
      </List>
    </Alert>
  )
}

interface SignProps {
  report: Report
  warnings: Warning[]
  close: () => void
  sign: (password: string) => Promise<unknown>
}

/** Whoever signs sees whose report it is, what does not fit, and gives the password. */
function Sign({ report, warnings, close, sign }: SignProps) {
  const { t } = useTranslation()
  const [password, setPassword] = useState('')
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)
  const exam = report.exams[0]!
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    setError('')
    try {
      await sign(password)
      close()
    } catch (failure) {
      setError(wordsOf(failure))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Modal opened onClose={close} title={t('reporting.act.sign')}>
      <form onSubmit={(event) => void submit(event)}>
        <Stack gap="sm">
          <Text size="sm">
            <strong>{personNames(exam.person).filter(Boolean).join(' ')}</strong> · {exam.number} · {procedure(exam)}
          </Text>
          {report.author && (
            <Text size="xs" c="dimmed">
              {t('reporting.writtenBy', { names: nameOf(report.people, report.author) })}
            </Text>
          )}
          {warnings.length > 0 && <Again warnings={warnings} />}
          <PasswordInput
            label={t('reporting.password')}
            description={t('reporting.signHelp')}
            autoComplete="current-password"
            data-autofocus
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          {error && (
            <Alert color="red" variant="light" p="xs" role="alert">
              {error}
            </Alert>
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              {t('app.actions.cancel')}
            </Button>
            <Button type="submit" loading={busy} disabled={!password}>
              {t('reporting.act.sign')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
