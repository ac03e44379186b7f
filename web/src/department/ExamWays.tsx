/** Ways of an exam that take a reason: protocolled, sent back, read as it is, repeated, closed without a report. */
import { Textarea } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { Ask } from '../app/Ask'
import type { ExamPage } from './model'

export const REASONED = ['sendBack', 'acceptPartial', 'repeat', 'closeWithout'] as const
export type Reasoned = (typeof REASONED)[number]

interface Props {
  page: ExamPage
  close: () => void
  done: () => void
}

export function ExamWay({ what, page, close, done }: Props & { what: Reasoned }) {
  const { t } = useTranslation()
  const { exam } = page
  const path = { params: { path: { exam: exam.id } } }
  const act = async (reason: string) => {
    const body = { reason, seen: exam.changes }
    if (what === 'sendBack') await data(api.POST('/exams/{exam}/send-back', { ...path, body }))
    else if (what === 'acceptPartial') await data(api.POST('/exams/{exam}/accept-partial', { ...path, body }))
    else if (what === 'repeat') await data(api.POST('/exams/{exam}/repeat', { ...path, body }))
    else await data(api.POST('/exams/{exam}/close-without-report', { ...path, body: { reason } }))
    done()
  }
  return <Ask title={t(`department.act.${what}`)} text={t(`department.wayText.${what}`)} word={t(`department.act.${what}`)} close={close} act={act} />
}

/** How it is to be made, before anybody makes it. */
export function ProtocolForm({ page, close, done }: Props) {
  const { t } = useTranslation()
  const [protocol, setProtocol] = useState(page.protocol)
  const { exam } = page
  return (
    <Ask
      title={t('department.act.protocol')}
      text={t('department.wayText.protocol')}
      word={t('department.act.protocol')}
      reason="none"
      close={close}
      act={async () => {
        await data(api.POST('/exams/{exam}/protocol', { params: { path: { exam: exam.id } }, body: { protocol: protocol.trim(), seen: exam.changes } }))
        done()
      }}
    >
      <Textarea
        label={t('department.protocol')}
        autosize
        minRows={2}
        maxLength={400}
        data-autofocus
        value={protocol}
        onChange={(event) => setProtocol(event.currentTarget.value)}
      />
    </Ask>
  )
}
