/** The windows in which a technologist says what is done with an exam. */
import { Alert, Checkbox, NumberInput, Select, Textarea, TextInput } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../../api/client'
import { Problem } from '../../api/problem'
import { Ask } from '../../app/Ask'
import { nameOf, useMaster, wordsOfKind } from '../model'
import { Checks, IdentityStep, isAnswered, lastCheck, NOT_ASKED, shownBody, type Shown } from './IdentityStep'
import type { Page } from './model'

type Series = Page['series'][number]
export type Plain = 'start' | 'check' | 'finish' | 'stop' | 'verify' | 'sendBack' | 'more' | 'repeat' | 'acceptPartial'
export type Deed = { what: Plain } | { what: 'reject'; series: Series }

interface Props {
  page: Page
  close: () => void
  done: () => void
}

export function Doing({ deed, ...props }: Props & { deed: Deed }) {
  switch (deed.what) {
    case 'start':
      return <Start {...props} />
    case 'check':
      return <Check {...props} />
    case 'finish':
      return <Finish {...props} />
    case 'stop':
      return <Stop {...props} />
    case 'verify':
      return <Verify {...props} />
    case 'reject':
      return <Reject {...props} series={deed.series} />
    default:
      return <Because {...props} what={deed.what} />
  }
}

function useTell(done: () => void) {
  const { t } = useTranslation()
  return (what: 'start' | 'check' | 'finish' | 'stop' | 'verify' | 'change' | 'reject') => {
    notifications.show({ message: t(`work.done.${what}`), autoClose: 3_000 })
    done()
  }
}

/** What the server wants a reason for. */
const WANTS_REASON = ['contrast-missing', 'self-check', 'no-images', 'images-incomplete']

/** Whether the server has asked why, and what hears it ask. */
function useAskedWhy() {
  const [asked, setAsked] = useState(false)
  const hear = async (sent: Promise<unknown>) => {
    try {
      await sent
    } catch (error) {
      if (error instanceof Problem && WANTS_REASON.includes(error.code)) setAsked(true)
      throw error
    }
  }
  return [asked, hear] as const
}

function Start({ page, close, done }: Props) {
  const { t } = useTranslation()
  const tell = useTell(done)
  const before = lastCheck(page)
  const known = before !== undefined && (before.passed || before.override_by !== '')
  const [shown, setShown] = useState<Shown>(NOT_ASKED)
  const { exam } = page.row.listed
  const act = async () => {
    const identity = known ? undefined : shownBody(shown)
    await data(api.POST('/technologist/exams/{exam}/start', { params: { path: { exam: exam.id } }, body: { identity, seen: exam.changes } }))
    tell('start')
  }
  const stops = !known && shown.fits === false && !shown.despite.trim()
  return (
    <Ask
      title={t('work.startTitle')}
      text={known ? undefined : t('work.startText')}
      word={t(stops ? 'work.keepFailure' : 'work.startNow')}
      grave={stops}
      quick={known}
      reason="none"
      ready={known || isAnswered(shown)}
      close={close}
      act={act}
    >
      {known ? <Checks checks={[before]} /> : <IdentityStep page={page} shown={shown} set={setShown} />}
    </Ask>
  )
}

/** Who it is, looked at for itself: before a device starts by itself, or after it has. */
function Check({ page, close, done }: Props) {
  const { t } = useTranslation()
  const tell = useTell(done)
  const [shown, setShown] = useState<Shown>(NOT_ASKED)
  const { exam } = page.row.listed
  const act = async () => {
    try {
      await data(api.POST('/exams/{exam}/identity', { params: { path: { exam: exam.id } }, body: { stage: 'exam', ...shownBody(shown) } }))
    } catch (error) {
      // that it did not fit is kept, and is shown behind the window
      done()
      throw error
    }
    tell('check')
  }
  return (
    <Ask title={t('work.check')} text={t('work.startText')} word={t('work.keepCheck')} reason="none" ready={isAnswered(shown)} close={close} act={act}>
      <IdentityStep page={page} shown={shown} set={setShown} />
    </Ask>
  )
}

function Finish({ page, close, done }: Props) {
  const { t } = useTranslation()
  const tell = useTell(done)
  const [count, setCount] = useState<number | string>('')
  const [note, setNote] = useState(page.note)
  const { exam } = page.row.listed
  const [asked, hear] = useAskedWhy()
  const none = page.transfer.received === 0
  const act = async (reason: string) => {
    const body = { count: typeof count === 'number' ? count : null, note: note.trim(), reason, seen: exam.changes }
    await hear(data(api.POST('/technologist/exams/{exam}/finish', { params: { path: { exam: exam.id } }, body })))
    tell('finish')
  }
  return (
    <Ask title={t('work.finishTitle')} word={t('work.finish')} reason={none || asked ? 'needed' : 'none'} close={close} act={act}>
      {none && (
        <Alert color="yellow" variant="light" p="xs">
          {t('work.noImagesYet')}
        </Alert>
      )}
      <NumberInput label={t('work.countLabel')} description={t('work.countText')} min={0} max={100000} allowDecimal={false} value={count} onChange={setCount} data-autofocus />
      <Textarea label={t('work.noteToReader')} autosize minRows={2} maxLength={2000} value={note} onChange={(event) => setNote(event.currentTarget.value)} />
    </Ask>
  )
}

function Reasons({ kind, label, value, onChange }: { kind: string; label: string; value: string | null; onChange: (value: string | null) => void }) {
  const master = useMaster()
  const data = wordsOfKind(master.data, kind).map((one) => ({ value: one.code, label: nameOf(one, one.code) }))
  return <Select label={label} data={data} value={value} onChange={onChange} data-autofocus />
}

function Stop({ page, close, done }: Props) {
  const { t } = useTranslation()
  const tell = useTell(done)
  const [code, setCode] = useState<string | null>(null)
  const { exam } = page.row.listed
  const act = async () => {
    await data(
      api.POST('/technologist/exams/{exam}/discontinue', { params: { path: { exam: exam.id } }, body: { code: code ?? '', reason: '', seen: exam.changes } }),
    )
    tell('stop')
  }
  return (
    <Ask title={t('work.stopTitle')} word={t('work.stop')} grave reason="none" ready={code !== null} close={close} act={act}>
      <Reasons kind="reason-stop" label={t('work.stopReason')} value={code} onChange={setCode} />
      {code === '110514' && (
        <Alert color="yellow" variant="light" p="xs">
          {t('work.wrongEntry')}
        </Alert>
      )}
    </Ask>
  )
}

function Verify({ page, close, done }: Props) {
  const { t } = useTranslation()
  const tell = useTell(done)
  const { exam } = page.row.listed
  const { expected, received, complete } = page.transfer
  const known = expected !== null
  const [all, setAll] = useState(false)
  const [reason, setReason] = useState('')
  const [asked, hear] = useAskedWhy()
  const act = async () => {
    const body = { count: known || !all ? null : received, reason: reason.trim(), seen: exam.changes }
    await hear(data(api.POST('/technologist/exams/{exam}/verify', { params: { path: { exam: exam.id } }, body })))
    tell('verify')
  }
  const whole = complete || (!known && all)
  const met = whole && !asked
  return (
    <Ask
      title={t('work.verifyTitle')}
      text={known ? t('work.verifyCount', { expected, received }) : t('work.verifyUnknown', { received })}
      word={t(whole ? 'work.verify' : 'work.verifyDespite')}
      grave={!met}
      reason="none"
      ready={met || reason.trim() !== ''}
      close={close}
      act={act}
    >
      {!known && received > 0 && (
        <Checkbox label={t('work.verifyAll')} checked={all} onChange={(event) => setAll(event.currentTarget.checked)} data-autofocus />
      )}
      {!met && (
        <TextInput label={t(whole ? 'work.verifyReasonAsIs' : 'work.verifyReason')} maxLength={400} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
      )}
    </Ask>
  )
}

function Reject({ page, close, done, series }: Props & { series: Series }) {
  const { t } = useTranslation()
  const tell = useTell(done)
  const [code, setCode] = useState<string | null>(null)
  const { exam } = page.row.listed
  const act = async () => {
    await data(
      api.POST('/technologist/exams/{exam}/reject', {
        params: { path: { exam: exam.id } },
        body: { code: code ?? '', reason: '', series_uids: [series.series_uid], sop_uids: [] },
      }),
    )
    tell('reject')
  }
  return (
    <Ask title={t('work.rejectTitle')} text={t('work.rejectText', { count: series.images })} word={t('work.reject')} grave reason="none" ready={code !== null} close={close} act={act}>
      <Reasons kind="reason-reject" label={t('work.why')} value={code} onChange={setCode} />
    </Ask>
  )
}

const WAYS = {
  sendBack: '/exams/{exam}/send-back',
  more: '/exams/{exam}/more-images',
  repeat: '/exams/{exam}/repeat',
  acceptPartial: '/exams/{exam}/accept-partial',
} as const

function Because({ page, close, done, what }: Props & { what: 'sendBack' | 'more' | 'repeat' | 'acceptPartial' }) {
  const { t } = useTranslation()
  const tell = useTell(done)
  const { exam } = page.row.listed
  const path = { exam: exam.id }
  const act = async (reason: string) => {
    await data(api.POST(WAYS[what], { params: { path }, body: { reason, seen: exam.changes } }))
    tell('change')
  }
  return <Ask title={t(`work.${what}Title`)} word={t(`work.${what}`)} grave={what === 'sendBack'} close={close} act={act} />
}
