import { Alert, Button, Center, Stack, Text } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { IconAlertTriangle } from '@tabler/icons-react'
import { Component, type ErrorInfo, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { Problem } from '../api/problem'
import { i18next, language } from '../i18n'
import { problems } from '../i18n/problems.zh'

/** Words for the person in front of the screen. */
export function wordsOf(error: unknown): string {
  if (error instanceof Problem) {
    if (error.code === 'offline') return i18next.t('app.errors.offline')
    if (error.status === 403 && (error.code === 'not-permitted' || !error.code)) {
      return i18next.t('app.errors.notPermitted')
    }
    if (language() === 'zh') return problems[error.code] ?? i18next.t(familyOf(error.status))
    return error.message || i18next.t('app.errors.unknown')
  }
  return i18next.t('app.errors.unknown')
}

/** The words for an error without a code that we know: what a proxy says, or a newer server. */
function familyOf(status: number) {
  if (status === 404) return 'app.errors.notFound'
  if (status === 409) return 'app.errors.conflict'
  if (status >= 500) return 'app.errors.later'
  return 'app.errors.refused'
}

export function showError(error: unknown): void {
  notifications.show({
    color: 'red',
    title: i18next.t('app.errors.title'),
    message: wordsOf(error),
    autoClose: 10_000,
  })
}

export function ErrorNote({ error, again }: { error: unknown; again?: () => void }) {
  const { t } = useTranslation()
  return (
    <Alert color="red" variant="light" icon={<IconAlertTriangle size={16} />} role="alert">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{wordsOf(error)}</Text>
        {again && (
          <Button size="compact-xs" variant="default" onClick={again}>
            {t('app.actions.retry')}
          </Button>
        )}
      </Stack>
    </Alert>
  )
}

interface Props {
  children: ReactNode
}

/** A part that fails takes only itself down. */
export class Boundary extends Component<Props, { failed: boolean }> {
  state = { failed: false }

  static getDerivedStateFromError() {
    return { failed: true }
  }

  componentDidCatch(error: Error, info: ErrorInfo) {
    console.error(error, info.componentStack)
  }

  render() {
    if (!this.state.failed) return this.props.children
    return (
      <Center h="100%" p="xl">
        <Stack align="center" maw={420} role="alert">
          <Text fw={600}>{i18next.t('app.errors.crashed')}</Text>
          <Text size="sm" c="dimmed" ta="center">
            {i18next.t('app.errors.crashedHelp')}
          </Text>
          <Button onClick={() => this.setState({ failed: false })}>{i18next.t('app.actions.retry')}</Button>
        </Stack>
      </Center>
    )
  }
}
