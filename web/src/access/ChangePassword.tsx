import { Alert, Button, Checkbox, Group, Modal, PasswordInput, Stack, Text } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { wordsOf } from '../app/errors'

/** A page of its own after the first sign-in (`forced`), a window afterwards. */
export function ChangePassword({ forced, close }: { forced?: boolean; close?: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [current, setCurrent] = useState('')
  const [fresh, setFresh] = useState('')
  const [again, setAgain] = useState('')
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)
  const [keep, setKeep] = useState(false)
  const tokens = useQuery({
    queryKey: ['me', 'tokens'],
    queryFn: () => data(api.GET('/me/tokens')),
    enabled: !forced,
  })
  const running = tokens.data?.tokens.filter((token) => token.in_force).length ?? 0

  const submit = async (event: FormEvent) => {
    event.preventDefault()
    if (fresh !== again) {
      setError(t('access.password.differ'))
      return
    }
    setBusy(true)
    setError('')
    try {
      await api.PUT('/session/password', { body: { old: current, new: fresh, keep_tokens: keep } })
      await client.invalidateQueries({ queryKey: ['session'] })
      await client.invalidateQueries({ queryKey: ['me'] })
      notifications.show({ message: t('access.password.changed') })
      close?.()
    } catch (failure) {
      setError(wordsOf(failure))
    } finally {
      setBusy(false)
    }
  }

  return (
    <Modal
      opened
      onClose={() => close?.()}
      withCloseButton={!forced}
      closeOnEscape={!forced}
      closeOnClickOutside={!forced}
      title={t('access.password.title')}
      size="sm"
    >
      <form onSubmit={(event) => void submit(event)}>
        <Stack gap="sm">
          {forced && <Text size="sm">{t('access.password.first')}</Text>}
          <PasswordInput
            label={t('access.password.current')}
            autoComplete="current-password"
            data-autofocus
            required
            withAsterisk={false}
            value={current}
            onChange={(event) => setCurrent(event.currentTarget.value)}
          />
          <PasswordInput
            label={t('access.password.new')}
            autoComplete="new-password"
            required
            withAsterisk={false}
            value={fresh}
            onChange={(event) => setFresh(event.currentTarget.value)}
          />
          <PasswordInput
            label={t('access.password.repeat')}
            autoComplete="new-password"
            required
            withAsterisk={false}
            value={again}
            onChange={(event) => setAgain(event.currentTarget.value)}
          />
          {running > 0 && (
            <Checkbox
              label={t('access.password.keepTokens', { count: running })}
              description={t('access.password.keepTokensText')}
              checked={keep}
              onChange={(event) => setKeep(event.currentTarget.checked)}
            />
          )}
          {error && (
            <Alert color="red" variant="light" p="xs" role="alert">
              {error}
            </Alert>
          )}
          <Group justify="flex-end">
            {!forced && (
              <Button variant="default" onClick={() => close?.()}>
                {t('app.actions.cancel')}
              </Button>
            )}
            <Button type="submit" loading={busy}>
              {t('app.actions.save')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
