import { Alert, Button, Code, CopyButton, Group, Image, Modal, PasswordInput, SimpleGrid, Stack, Text, TextInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { Problem } from '../api/problem'
import { wordsOf } from '../app/errors'

type Enrolment = components['schemas']['Enrolment']

function useSteps() {
  const { t } = useTranslation()
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)
  const step = (act: () => Promise<void>) => async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    setError('')
    try {
      await act()
    } catch (failure) {
      const code = failure instanceof Problem ? failure.code : ''
      if (code === 'wrong-credentials' || code === 'wrong-password') setError(t('people.own.wrongPassword'))
      else if (code === 'wrong-code') setError(t('access.signIn.wrongCode'))
      else setError(wordsOf(failure))
    } finally {
      setBusy(false)
    }
  }
  const note = error && (
    <Alert color="red" variant="light" p="xs" role="alert">
      {error}
    </Alert>
  )
  return { step, busy, note }
}

/** Password, then the app and its first code, then the recovery codes. */
export function Enrol({ close }: { close: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { step, busy, note } = useSteps()
  const [password, setPassword] = useState('')
  const [begun, setBegun] = useState<Enrolment | null>(null)
  const [code, setCode] = useState('')
  const [codes, setCodes] = useState<string[] | null>(null)

  const finish = () => {
    void client.invalidateQueries({ queryKey: ['session'] })
    close()
  }
  const begin = step(async () => {
    setBegun(await data(api.POST('/session/totp', { body: { password } })))
    setPassword('')
  })
  const confirm = step(async () => {
    const made = await data(api.POST('/session/totp/confirm', { body: { code: code.replace(/\s/g, '') } }))
    setCodes(made.recovery_codes)
  })

  return (
    <Modal
      opened
      onClose={close}
      title={t('people.own.enrol')}
      withCloseButton={!codes}
      closeOnEscape={!codes}
      closeOnClickOutside={false}
    >
      {codes ? (
        <Stack gap="sm">
          <Text size="sm">{t('people.own.codesText')}</Text>
          <SimpleGrid cols={2} spacing="xs">
            {codes.map((one) => (
              <Code key={one} fz="sm" ta="center">
                {one}
              </Code>
            ))}
          </SimpleGrid>
          <Alert color="yellow" variant="light" p="xs">
            {t('people.shownOnce')}
          </Alert>
          <Group justify="flex-end">
            <CopyButton value={codes.join('\n')}>
              {({ copied, copy }) => (
                <Button variant="default" onClick={copy}>
                  {t(copied ? 'app.actions.copied' : 'app.actions.copy')}
                </Button>
              )}
            </CopyButton>
            <Button onClick={finish}>{t('people.noted')}</Button>
          </Group>
        </Stack>
      ) : begun ? (
        <form onSubmit={(event) => void confirm(event)}>
          <Stack gap="sm">
            <Text size="sm">{t('people.own.scan')}</Text>
            <Image
              src={`data:image/svg+xml;utf8,${encodeURIComponent(begun.qr)}`}
              alt={t('people.own.qr')}
              w={200}
              h={200}
              mx="auto"
              radius="sm"
            />
            <Text size="xs" c="dimmed">
              {t('people.own.type')} <Code style={{ overflowWrap: 'anywhere' }}>{begun.secret}</Code>
            </Text>
            <TextInput
              label={t('people.own.firstCode')}
              inputMode="numeric"
              autoComplete="one-time-code"
              autoFocus
              value={code}
              onChange={(event) => setCode(event.currentTarget.value)}
            />
            {note}
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                {t('app.actions.cancel')}
              </Button>
              <Button type="submit" loading={busy} disabled={code.trim().length < 6}>
                {t('app.actions.confirm')}
              </Button>
            </Group>
          </Stack>
        </form>
      ) : (
        <form onSubmit={(event) => void begin(event)}>
          <Stack gap="sm">
            <Text size="sm">{t('people.own.enrolText')}</Text>
            <PasswordInput
              label={t('access.password.current')}
              autoComplete="current-password"
              data-autofocus
              value={password}
              onChange={(event) => setPassword(event.currentTarget.value)}
            />
            {note}
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                {t('app.actions.cancel')}
              </Button>
              <Button type="submit" loading={busy} disabled={!password}>
                {t('people.own.continue')}
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  )
}

/** All sessions end with it, this one too. */
export function RemoveFactor({ close }: { close: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { step, busy, note } = useSteps()
  const [password, setPassword] = useState('')
  const [code, setCode] = useState('')
  const remove = step(async () => {
    await api.POST('/session/totp/remove', { body: { password, code: code.replace(/\s/g, '') } })
    await client.invalidateQueries({ queryKey: ['session'] })
    close()
  })
  return (
    <Modal opened onClose={close} title={t('people.own.removeTitle')}>
      <form onSubmit={(event) => void remove(event)}>
        <Stack gap="sm">
          <Text size="sm">{t('people.own.removeText')}</Text>
          <PasswordInput
            label={t('access.password.current')}
            autoComplete="current-password"
            data-autofocus
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          <TextInput
            label={t('access.signIn.code')}
            description={t('access.signIn.codeHelp')}
            autoComplete="one-time-code"
            value={code}
            onChange={(event) => setCode(event.currentTarget.value)}
          />
          {note}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              {t('app.actions.cancel')}
            </Button>
            <Button type="submit" color="red" loading={busy} disabled={!password || !code}>
              {t('app.actions.delete')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
