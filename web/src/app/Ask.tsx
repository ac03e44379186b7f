import { Alert, Button, Group, Modal, Stack, Text, Textarea } from '@mantine/core'
import { useState, type FormEvent, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { wordsOf } from './errors'

interface Props {
  title: string
  /** What it does. */
  text?: ReactNode
  /** On the button. */
  word: string
  grave?: boolean
  /** Whether it is asked why, and has to be said. */
  reason?: 'needed' | 'wanted' | 'none'
  size?: string
  /** Enter does it at once. */
  quick?: boolean
  /** Whether the rest is filled in. */
  ready?: boolean
  close: () => void
  act: (reason: string) => Promise<unknown>
  children?: ReactNode
}

/** A window that asks before something is done, and does it; it stays with what went wrong where it fails. */
export function Ask({ reason = 'needed', ready = true, ...props }: Props) {
  const { t } = useTranslation()
  const [why, setWhy] = useState('')
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)

  const submit = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    setError('')
    try {
      await props.act(why.trim())
      props.close()
    } catch (failure) {
      setError(wordsOf(failure))
    } finally {
      setBusy(false)
    }
  }

  return (
    <Modal opened onClose={props.close} title={props.title} size={props.size ?? 'md'}>
      <form onSubmit={(event) => void submit(event)}>
        <Stack gap="sm">
          {props.text && (
            <Text size="sm" c="dimmed">
              {props.text}
            </Text>
          )}
          {props.children}
          {reason !== 'none' && (
            <Textarea
              label={t(reason === 'needed' ? 'admin.reason' : 'admin.reasonOptional')}
              autosize
              minRows={2}
              maxLength={400}
              required={reason === 'needed'}
              withAsterisk={false}
              data-autofocus={props.children ? undefined : true}
              value={why}
              // one line: it is kept in lists
              onChange={(event) => setWhy(event.currentTarget.value.replace(/[\r\n]+/g, ' '))}
            />
          )}
          {error && (
            <Alert color="red" variant="light" p="xs" role="alert">
              {error}
            </Alert>
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={props.close}>
              {t('app.actions.cancel')}
            </Button>
            <Button
              type="submit"
              data-autofocus={props.quick || undefined}
              color={props.grave ? 'red' : undefined}
              loading={busy}
              disabled={!ready || (reason === 'needed' && !why.trim())}
            >
              {props.word}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
