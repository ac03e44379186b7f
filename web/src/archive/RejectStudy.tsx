import { Alert, Button, Group, Modal, Select, Stack, Text, Textarea } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useState, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { problemOf } from '../api/problem'
import { proof } from '../api/session'
import { wordsOf } from '../app/errors'

const CODES = ['113001', '113037', '113038', '113039'] as const

/** Rejects a study with a coded reason (IHE IOCM). */
export function RejectStudy({ study, title, close }: { study: string; title: ReactNode; close: (done: boolean) => void }) {
  const { t } = useTranslation()
  const [code, setCode] = useState<string>(CODES[0])
  const [reason, setReason] = useState('')
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)

  const submit = async () => {
    setBusy(true)
    setError('')
    try {
      const response = await fetch(`/dicom-web/studies/${study}/reject/${code}%5EDCM`, {
        method: 'POST',
        headers: { ...proof(), 'Content-Type': 'application/json' },
        body: JSON.stringify({ reason: reason.trim() }),
        credentials: 'same-origin',
      })
      if (!response.ok) throw await problemOf(response)
      notifications.show({ message: t('archive.reject.done') })
      close(true)
    } catch (failure) {
      setError(wordsOf(failure))
    } finally {
      setBusy(false)
    }
  }

  return (
    <Modal opened onClose={() => close(false)} title={t('archive.reject.title')}>
      <Stack gap="sm">
        <Text size="sm" fw={550}>
          {title}
        </Text>
        <Text size="sm" c="dimmed">
          {t('archive.reject.help')}
        </Text>
        <Select
          label={t('archive.reject.why')}
          data={CODES.map((value) => ({ value, label: t(`archive.reject.code_${value}`) }))}
          value={code}
          allowDeselect={false}
          onChange={(value) => setCode(value ?? CODES[0])}
        />
        <Textarea
          label={t('archive.reject.reason')}
          autosize
          minRows={2}
          maxLength={400}
          data-autofocus
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
        {error && (
          <Alert color="red" variant="light" p="xs" role="alert">
            {error}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={() => close(false)}>
            {t('app.actions.cancel')}
          </Button>
          <Button color="red" loading={busy} disabled={!reason.trim()} onClick={() => void submit()}>
            {t('archive.reject.do')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}
