import { Alert, Badge, Button, Group, Modal, NativeSelect, Select, Stack, Text, TextInput } from '@mantine/core'
import { IconBolt } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { Ask } from '../app/Ask'
import { ErrorNote, showError } from '../app/errors'
import { moment } from '../app/format'
import { usePeople } from '../department/model'
import { either, type Report } from './model'

type Critical = components['schemas']['CriticalItem']
export type Step = components['schemas']['CriticalStepIn']['what']
const COLOURS: Record<string, string> = { red: 'red', orange: 'orange', yellow: 'yellow' }

/** The critical results of a report's exams that are not closed. */
export function CriticalBox({ report, reload }: { report: Report; reload: () => void }) {
  const open = report.criticals.some((one) => !['closed', 'withdrawn'].includes(one.status))
  const exam = report.exams[0]!.id
  const query = useQuery({
    queryKey: ['criticals', 'of', exam, report.criticals.map((one) => one.status).join()],
    queryFn: () => data(api.POST('/criticals/list', { body: { open: true, exam, limit: 20 } })),
    enabled: open,
  })
  if (!open) return null
  if (query.isError) return <ErrorNote error={query.error} again={() => void query.refetch()} />
  return query.data?.criticals.map((one) => <CriticalNote key={one.id} critical={one} done={reload} />)
}

/** A critical result, what was done about it, and what is next. */
export function CriticalNote({ critical, done }: { critical: Critical; done: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const called = usePeople()
  const [asking, setAsking] = useState<Step | null>(null)
  const late = critical.due_at !== null && new Date(critical.due_at) < new Date() && ['raised', 'notified'].includes(critical.status)
  const last = critical.steps.at(-1)
  return (
    <Alert color={COLOURS[critical.level] ?? 'red'} variant="light" p="xs" mb="xs" icon={<IconBolt size={16} />} title={critical.finding} data-critical={critical.status}>
      <Group gap="xs" mb={6}>
        <Badge size="xs" radius="xs" variant={late ? 'filled' : 'light'} color={late ? 'red' : 'gray'}>
          {t(`reporting.critical.${critical.status}`)}
        </Badge>
        <Text size="xs">
          {t('reporting.critical.raisedBy', { name: called(critical.raised_by), time: moment(critical.raised_at) })}
          {critical.escalations > 0 && ` · ${t('reporting.critical.escalated', { count: critical.escalations })}`}
        </Text>
      </Group>
      {last && last.what !== 'raised' && (
        <Text size="xs" mb={6}>
          {[t(`reporting.critical.${last.what}`), last.receiver, last.words, moment(last.at)].filter(Boolean).join(' · ')}
        </Text>
      )}
      <Group gap="xs">
        {critical.allowed.map((what, at) => (
          <Button key={what} size="compact-xs" variant={at === 0 ? 'filled' : 'default'} color={at === 0 ? COLOURS[critical.level] : undefined} onClick={() => setAsking(what as Step)}>
            {t(`reporting.critical.do.${what}`)}
          </Button>
        ))}
      </Group>
      {asking && (
        <StepForm
          critical={critical}
          what={asking}
          close={() => setAsking(null)}
          done={() => {
            void client.invalidateQueries({ queryKey: ['criticals'] })
            void client.invalidateQueries({ queryKey: ['inbox'] })
            done()
          }}
        />
      )}
    </Alert>
  )
}

function StepForm({ critical, what, close, done }: { critical: Critical; what: Step; close: () => void; done: () => void }) {
  const { t } = useTranslation()
  const [channel, setChannel] = useState<'screen' | 'phone'>(what === 'notified' ? 'phone' : 'screen')
  const [receiver, setReceiver] = useState('')
  const spoken = channel === 'phone'
  return (
    <Ask
      title={`${t(`reporting.critical.do.${what}`)}: ${critical.finding}`}
      text={t(`reporting.critical.help.${what}`)}
      word={t(`reporting.critical.do.${what}`)}
      reason="none"
      ready={!spoken || receiver.trim() !== ''}
      close={close}
      act={async () => {
        const words = (document.getElementById('critical-words') as HTMLInputElement | null)?.value ?? ''
        await api.POST('/criticals/{critical}/steps', { params: { path: { critical: critical.id } }, body: { what, channel, receiver: receiver.trim(), words: words.trim() } })
        done()
      }}
    >
      {(what === 'notified' || what === 'acknowledged') && (
        <NativeSelect
          label={t('reporting.critical.channel')}
          value={channel}
          onChange={(event) => setChannel(event.currentTarget.value as 'screen' | 'phone')}
          data={(['phone', 'screen'] as const).map((one) => ({ value: one, label: t(`reporting.critical.channels.${one}`) }))}
        />
      )}
      {spoken && <TextInput label={t('reporting.critical.receiver')} maxLength={100} required withAsterisk={false} value={receiver} onChange={(event) => setReceiver(event.currentTarget.value)} />}
      <TextInput id="critical-words" label={t(`reporting.critical.words.${what}`)} maxLength={1000} />
    </Ask>
  )
}

/** Raises a critical result: from the catalogue, or in words. */
export function RaiseCritical({ exam, close, done }: { exam: number; close: () => void; done: () => void }) {
  const { t } = useTranslation()
  const [code, setCode] = useState<string | null>(null)
  const [finding, setFinding] = useState('')
  const [level, setLevel] = useState<'red' | 'orange' | 'yellow'>('red')
  const [busy, setBusy] = useState(false)
  const catalogue = useQuery({ queryKey: ['criticals', 'catalogue'], queryFn: () => data(api.GET('/criticals/catalogue')), staleTime: 600_000 })
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    try {
      await api.POST('/exams/{exam}/criticals', { params: { path: { exam } }, body: code ? { code, finding: '' } : { code: '', finding: finding.trim(), level } })
      done()
      close()
    } catch (error) {
      showError(error)
    } finally {
      setBusy(false)
    }
  }
  return (
    <Modal opened onClose={close} title={t('reporting.raise')}>
      <form onSubmit={(event) => void submit(event)}>
        <Stack gap="sm">
          <Select
            label={t('reporting.critical.finding')}
            searchable
            clearable
            data-autofocus
            value={code}
            onChange={setCode}
            data={catalogue.data?.findings.map((one) => ({ value: one.code, label: `${either(one.finding_zh, one.finding_en)} · ${t('reporting.critical.within', { count: one.minutes })}` })) ?? []}
          />
          {!code && (
            <>
              <TextInput label={t('reporting.critical.otherFinding')} maxLength={400} value={finding} onChange={(event) => setFinding(event.currentTarget.value)} />
              <NativeSelect
                label={t('reporting.critical.level')}
                value={level}
                onChange={(event) => setLevel(event.currentTarget.value as typeof level)}
                data={(['red', 'orange', 'yellow'] as const).map((one) => ({ value: one, label: t(`reporting.critical.levels.${one}`) }))}
              />
            </>
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              {t('app.actions.cancel')}
            </Button>
            <Button type="submit" color="red" loading={busy} disabled={!code && !finding.trim()}>
              {t('reporting.raise')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
