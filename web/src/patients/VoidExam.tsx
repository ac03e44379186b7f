/** Making an exam void: why, what has left, and a second person who agrees with a password. */
import { List, PasswordInput, Select, Stack, Text, TextInput } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { Ask } from '../app/Ask'
import { moment } from '../app/format'
import { nameOf, useMaster, wordsOfKind, type Exam } from '../department/model'

const COPIES = ['send', 'export', 'print', 'share'] as const

export function VoidExam({ exam, close, done }: { exam: Exam; close: () => void; done: () => void }) {
  const { t } = useTranslation()
  const master = useMaster()
  const [code, setCode] = useState<string | null>(null)
  const [second, setSecond] = useState('')
  const [password, setPassword] = useState('')
  const [passcode, setPasscode] = useState('')
  const copies = useQuery({
    queryKey: ['copies', exam.id],
    queryFn: () => data(api.GET('/exams/{exam}/copies', { params: { path: { exam: exam.id } } })),
  })
  return (
    <Ask
      title={t('patients.voidTitle', { number: exam.number || String(exam.id) })}
      text={t('patients.voidText')}
      word={t('patients.voidWord')}
      grave
      reason="wanted"
      ready={code !== null && second.trim() !== '' && password !== ''}
      close={close}
      act={async (reason) => {
        await data(
          api.POST('/exams/{exam}/void', {
            params: { path: { exam: exam.id } },
            body: { code: code!, reason, second: second.trim(), password, passcode: passcode.trim() },
          }),
        )
        notifications.show({ message: t('patients.done.void'), autoClose: 4_000 })
        done()
      }}
    >
      <Select
        label={t('patients.voidReason')}
        data-autofocus
        data={wordsOfKind(master.data, 'reason-void').map((one) => ({ value: one.code, label: nameOf(one, one.code) }))}
        value={code}
        onChange={setCode}
      />
      <Stack gap={2}>
        <Text size="xs" fw={500}>
          {t('patients.copies')}
        </Text>
        {copies.data?.length === 0 && (
          <Text size="sm" c="dimmed">
            {t('patients.noCopies')}
          </Text>
        )}
        <List size="sm" mah={140} style={{ overflow: 'auto' }}>
          {copies.data?.map((one, at) => {
            const kind = COPIES.find((each) => each === one.kind)
            return (
              <List.Item key={at}>
                {[moment(one.at), kind ? t(`patients.copyKinds.${kind}`) : one.kind, one.where, one.who].filter(Boolean).join(' · ')}
              </List.Item>
            )
          })}
        </List>
      </Stack>
      <TextInput
        label={t('patients.second')}
        description={t('patients.secondHelp')}
        autoComplete="off"
        maxLength={64}
        value={second}
        onChange={(event) => setSecond(event.currentTarget.value)}
      />
      <PasswordInput label={t('patients.password')} autoComplete="new-password" maxLength={200} value={password} onChange={(event) => setPassword(event.currentTarget.value)} />
      <TextInput label={t('patients.passcode')} autoComplete="off" inputMode="numeric" maxLength={16} value={passcode} onChange={(event) => setPasscode(event.currentTarget.value)} />
    </Ask>
  )
}
