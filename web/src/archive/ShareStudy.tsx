import { Alert, Button, Checkbox, CopyButton, Group, Modal, NumberInput, PasswordInput, Stack, Text, TextInput } from '@mantine/core'
import { useState, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { wordsOf } from '../app/errors'

/** Makes a link to one study for somebody who has no account. */
export function ShareStudy({ study, title, close }: { study: string; title: ReactNode; close: () => void }) {
  const { t } = useTranslation()
  const [label, setLabel] = useState('')
  const [days, setDays] = useState(7)
  const [password, setPassword] = useState('')
  const [download, setDownload] = useState(false)
  const [address, setAddress] = useState('')
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)

  const submit = async () => {
    setBusy(true)
    setError('')
    try {
      const made = await data(
        api.POST('/studies/{study}/links', {
          params: { path: { study } },
          body: { label: label.trim(), days, password, download },
        }),
      )
      setAddress(made!.address)
    } catch (failure) {
      setError(wordsOf(failure))
    } finally {
      setBusy(false)
    }
  }

  return (
    <Modal opened onClose={close} title={t('archive.share.title')}>
      <Stack gap="sm">
        <Text size="sm" fw={550}>
          {title}
        </Text>
        {address ? (
          <>
            <Text size="sm">{t('archive.share.made')}</Text>
            <Group wrap="nowrap">
              <TextInput
                style={{ flex: 1 }}
                aria-label={t('archive.share.title')}
                readOnly
                value={address}
                onFocus={(event) => event.currentTarget.select()}
              />
              <CopyButton value={address}>
                {({ copied, copy }) => (
                  <Button onClick={copy} data-autofocus>
                    {copied ? t('app.actions.copied') : t('app.actions.copy')}
                  </Button>
                )}
              </CopyButton>
            </Group>
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                {t('app.actions.close')}
              </Button>
            </Group>
          </>
        ) : (
          <>
            <Text size="sm" c="dimmed">
              {t('archive.share.help')}
            </Text>
            <TextInput
              label={t('archive.share.label')}
              maxLength={200}
              data-autofocus
              value={label}
              onChange={(event) => setLabel(event.currentTarget.value)}
            />
            <NumberInput
              label={t('archive.share.days')}
              min={1}
              max={3650}
              value={days}
              onChange={(value) => setDays(Number(value) || 1)}
            />
            <PasswordInput
              label={t('archive.share.password')}
              autoComplete="new-password"
              maxLength={200}
              value={password}
              onChange={(event) => setPassword(event.currentTarget.value)}
            />
            <Checkbox label={t('archive.share.download')} checked={download} onChange={(event) => setDownload(event.currentTarget.checked)} />
            {error && (
              <Alert color="red" variant="light" p="xs" role="alert">
                {error}
              </Alert>
            )}
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                {t('app.actions.cancel')}
              </Button>
              <Button loading={busy} onClick={() => void submit()}>
                {t('archive.share.do')}
              </Button>
            </Group>
          </>
        )}
      </Stack>
    </Modal>
  )
}
