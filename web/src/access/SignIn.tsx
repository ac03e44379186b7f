import { Alert, Button, Group, PasswordInput, SegmentedControl, Stack, Text, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { Problem } from '../api/problem'
import { wordsOf } from '../app/errors'
import { language, LANGUAGES, setLanguage, type Language } from '../i18n'
import classes from './SignIn.module.css'

/** What the server's codes mean at the door. */
const WORDS: Record<string, 'wrong' | 'wrongCode' | 'locked' | 'tooMany' | 'noAccount' | 'refused'> = {
  'no-account': 'noAccount',
  'sign-in-refused': 'refused',
  'wrong-credentials': 'wrong',
  'wrong-code': 'wrongCode',
  locked: 'locked',
  'too-many': 'tooMany',
}

export function SignIn() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const [code, setCode] = useState('')
  const [askCode, setAskCode] = useState(false)
  // why the provider's way has ended here
  const refused = new URLSearchParams(window.location.search).get('refused')
  const [error, setError] = useState(refused ? t(`access.signIn.${WORDS[refused] ?? 'refused'}`) : '')
  const ways = useQuery({ queryKey: ['ways'], queryFn: () => data(api.GET('/session/ways')), staleTime: 600_000 })
  const [busy, setBusy] = useState(false)

  const submit = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    setError('')
    try {
      await api.POST('/session', { body: { name, password, code: askCode ? code : '' } })
      await client.invalidateQueries({ queryKey: ['session'] })
    } catch (failure) {
      if (failure instanceof Problem && failure.code === 'code-needed') {
        setAskCode(true)
      } else if (failure instanceof Problem && WORDS[failure.code]) {
        setError(t(`access.signIn.${WORDS[failure.code]!}`))
      } else {
        setError(wordsOf(failure))
      }
    } finally {
      setBusy(false)
    }
  }

  return (
    <div className={classes.ground}>
      <main className={classes.card}>
        <Group gap="sm" mb="lg">
          <img src="/favicon.svg" alt="" width={32} height={32} />
          <Text component="h1" fw={650} size="xl" m={0}>
            {t('app.name')}
          </Text>
        </Group>
        <form onSubmit={(event) => void submit(event)}>
          <Stack gap="md">
            <TextInput
              size="sm"
              label={t('access.signIn.name')}
              autoComplete="username"
              autoFocus
              required
              withAsterisk={false}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
            />
            <PasswordInput
              size="sm"
              label={t('access.signIn.password')}
              autoComplete="current-password"
              required
              withAsterisk={false}
              value={password}
              onChange={(event) => setPassword(event.currentTarget.value)}
            />
            {askCode && (
              <TextInput
                size="sm"
                label={t('access.signIn.code')}
                description={t('access.signIn.codeHelp')}
                autoComplete="one-time-code"
                autoFocus
                required
                withAsterisk={false}
                value={code}
                onChange={(event) => setCode(event.currentTarget.value)}
              />
            )}
            <div aria-live="polite" className={classes.error}>
              {error && (
                <Alert color="red" variant="light" p="xs">
                  {error}
                </Alert>
              )}
            </div>
            <Button type="submit" size="sm" loading={busy} fullWidth>
              {t('access.signIn.submit')}
            </Button>
            {ways.data?.oidc && (
              <Button
                component="a"
                size="sm"
                variant="default"
                fullWidth
                href={`/api/session/oidc/start?${new URLSearchParams({ return_to: window.location.pathname })}`}
              >
                {t('access.signIn.oidc', { name: ways.data.oidc })}
              </Button>
            )}
          </Stack>
        </form>
        {ways.data?.demonstration && (
          <Demonstration
            of={ways.data.demonstration}
            busy={busy}
            enter={async (account) => {
              setBusy(true)
              try {
                await api.POST('/session', { body: { name: account, password: ways.data!.demonstration!.password, code: '' } })
                await client.invalidateQueries({ queryKey: ['session'] })
              } catch (failure) {
                setError(wordsOf(failure))
              } finally {
                setBusy(false)
              }
            }}
          />
        )}
        <Group justify="center" mt="xl">
          <SegmentedControl
            aria-label={t('app.menu.language')}
            data={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
            value={language()}
            onChange={(value) => void setLanguage(value as Language)}
          />
        </Group>
      </main>
    </div>
  )
}

interface DemonstrationProps {
  of: components['schemas']['Demonstration']
  busy: boolean
  enter: (account: string) => Promise<void>
}

/** A hospital to try out: everybody of it, to be entered as. */
function Demonstration({ of, busy, enter }: DemonstrationProps) {
  const { t } = useTranslation()
  return (
    <section className={classes.demonstration} aria-label={t('access.demonstration.title')}>
      <Text size="sm" fw={600} component="h2" m={0}>
        {t('access.demonstration.title')}
      </Text>
      <Text size="xs" c="dimmed" mb="xs">
        {t('access.demonstration.help', { password: of.password })}
      </Text>
      <div className={classes.everybody}>
        {of.accounts.map((one) => (
          <Button key={one.account + one.role} variant="default" size="compact-sm" justify="space-between" disabled={busy} onClick={() => void enter(one.account)} rightSection={<span className={classes.role}>{language() === 'zh' ? one.role_zh : one.role_en}</span>}>
            {one.name}
          </Button>
        ))}
      </div>
    </section>
  )
}
