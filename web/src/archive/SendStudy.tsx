import { Alert, Badge, Button, Checkbox, Group, Modal, Select, Stack, Text } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useQuery } from '@tanstack/react-query'
import { useState, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { ErrorNote, wordsOf } from '../app/errors'

/** Sends a study to a device: a job that goes on when this window is closed. */
export function SendStudy({ study, title, close }: { study: string; title: ReactNode; close: () => void }) {
  const { t } = useTranslation()
  const [device, setDevice] = useState<string | null>(null)
  const [commit, setCommit] = useState(false)
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)
  const query = useQuery({ queryKey: ['destinations'], queryFn: () => data(api.GET('/destinations')) })
  const destinations = query.data?.destinations ?? []

  const submit = async () => {
    if (!device) return
    setBusy(true)
    setError('')
    try {
      await api.POST('/studies/{study}/send', { params: { path: { study } }, body: { device, commit } })
      notifications.show({ title: t('archive.send.done', { device }), message: t('archive.send.watch') })
      close()
    } catch (failure) {
      setError(wordsOf(failure))
    } finally {
      setBusy(false)
    }
  }

  return (
    <Modal opened onClose={close} title={t('archive.send.title')}>
      <Stack gap="sm">
        <Text size="sm" fw={550}>
          {title}
        </Text>
        {query.isError && <ErrorNote error={query.error} again={() => void query.refetch()} />}
        {query.isSuccess && destinations.length === 0 && (
          <Text size="sm" c="dimmed">
            {t('archive.send.none')}
          </Text>
        )}
        <Select
          label={t('archive.send.device')}
          data={destinations.map((one) => ({
            value: one.ae_title,
            label: one.description ? `${one.ae_title} \u2013 ${one.description}` : one.ae_title,
          }))}
          renderOption={({ option }) => {
            const one = destinations.find((each) => each.ae_title === option.value)
            return (
              <Group justify="space-between" w="100%" wrap="nowrap">
                <Text size="sm" truncate>
                  {option.label}
                </Text>
                {one?.answers !== null && one !== undefined && (
                  <Badge size="xs" variant="light" color={one.answers ? 'teal' : 'red'}>
                    {one.answers ? t('archive.send.answers') : t('archive.send.silent')}
                  </Badge>
                )}
              </Group>
            )
          }}
          searchable
          data-autofocus
          disabled={destinations.length === 0}
          value={device}
          onChange={setDevice}
        />
        <Checkbox label={t('archive.send.commit')} checked={commit} onChange={(event) => setCommit(event.currentTarget.checked)} />
        {error && (
          <Alert color="red" variant="light" p="xs" role="alert">
            {error}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {t('app.actions.cancel')}
          </Button>
          <Button loading={busy} disabled={!device} onClick={() => void submit()}>
            {t('archive.send.do')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}
