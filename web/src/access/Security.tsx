import { Button, Container, Stack } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { Ask } from '../app/Ask'
import { ErrorNote, showError } from '../app/errors'
import { listComma, moment } from '../app/format'
import { Dim, Dot, Facts, Item, Section } from '../app/ListPage'
import head from '../app/ListPage.module.css'
import { browserWords } from './browser'
import { ChangePassword } from './ChangePassword'
import { NewToken } from './NewToken'
import { scopeWords } from './scopes'
import { Enrol, RemoveFactor } from './SecondFactor'
import { useSession } from './session'
import { Told } from './UserForms'
import { roleName } from './scopes'

/** One's own account: what it may do, and what keeps others out of it. */
export default function Security() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const session = useSession()
  const [open, setOpen] = useState<'password' | 'enrol' | 'remove' | 'token' | null>(null)
  const [revoking, setRevoking] = useState<{ id: number; label: string } | null>(null)
  const [told, setTold] = useState<{ label: string; secret: string } | null>(null)
  const sessions = useQuery({ queryKey: ['me', 'sessions'], queryFn: () => data(api.GET('/me/sessions')) })
  const tokens = useQuery({ queryKey: ['me', 'tokens'], queryFn: () => data(api.GET('/me/tokens')) })
  const close = () => setOpen(null)
  const again = (what: 'sessions' | 'tokens') => client.invalidateQueries({ queryKey: ['me', what] })
  const small = (word: string, run: () => void, red = true) => (
    <Button size="compact-xs" variant="light" color={red ? 'red' : undefined} onClick={run}>
      {word}
    </Button>
  )

  return (
    <>
      <div className={head.head}>
        <h1 className={head.title}>{t('people.own.title')}</h1>
      </div>
      <Container size="sm" px="md" py="md" ml={0}>
        <Facts
          facts={[
            [t('people.name'), session.account.name],
            [t('people.displayName'), session.account.display_name],
            [t('people.wards'), session.account.wards.join(', ')],
          ]}
        />
        <Section title={t('people.roles')}>
          {session.roles.map((one, at) => (
            <Item key={at}>
              {roleName(one)}
              <Dim>{[scopeWords(one.scope, t), one.until && t('people.untilDay', { day: moment(one.until) })].filter(Boolean).join(' · ')}</Dim>
            </Item>
          ))}
        </Section>
        <Section title={t('people.password')} action={session.account.has_password && small(t('people.own.change'), () => setOpen('password'), false)}>
          <Item>{t(session.account.has_password ? 'people.hasPassword' : 'people.without')}</Item>
        </Section>
        <Section
          title={t('people.factor')}
          action={
            session.account.has_second_factor
              ? small(t('app.actions.delete'), () => setOpen('remove'))
              : session.account.has_password && small(t('people.own.enrol'), () => setOpen('enrol'), false)
          }
        >
          <Item>
            <Dot how={session.account.has_second_factor ? 'good' : 'warn'}>
              {t(session.account.has_second_factor ? 'people.own.factorOn' : 'people.own.factorOff')}
            </Dot>
          </Item>
        </Section>
        <Section title={t('people.sessions')}>
          {sessions.isError && <ErrorNote error={sessions.error} again={() => void sessions.refetch()} />}
          {sessions.data?.sessions.map((one) => (
            <Item
              key={one.id}
              action={
                !one.this &&
                small(t('people.own.end'), () => {
                  api
                    .DELETE('/me/sessions/{number}', { params: { path: { number: one.id } } })
                    .then(() => again('sessions'))
                    .catch(showError)
                })
              }
            >
              {browserWords(one.browser) || one.host}
              {one.this && ` (${t('people.own.this')})`}
              <Dim>{[one.host, t(`people.method.${one.method}`), t('people.seen', { at: moment(one.seen_at) })].join(' · ')}</Dim>
            </Item>
          ))}
        </Section>
        <Section title={t('people.tokens')} action={small(t('people.own.newToken'), () => setOpen('token'), false)}>
          <Stack gap={0}>
            {tokens.isError && <ErrorNote error={tokens.error} again={() => void tokens.refetch()} />}
            {tokens.data?.tokens.length === 0 && <Dim>{t('people.own.noTokens')}</Dim>}
            {tokens.data?.tokens.map((one) => (
              <Item key={one.id} action={one.in_force && small(t('people.revoke'), () => setRevoking(one))}>
                <span style={{ opacity: one.in_force ? 1 : 0.6 }}>
                  {one.label} <code>{one.begins}…</code>
                </span>
                <Dim>{one.scopes.map((scope) => t(`people.action.${scope}`)).join(listComma())}</Dim>
                <Dim>
                  {[
                    one.revoked_at
                      ? t('people.revokedAt', { at: moment(one.revoked_at) })
                      : t('people.untilDay', { day: moment(one.expires_at) }),
                    one.used_at ? t('people.usedAt', { at: moment(one.used_at) }) : t('people.neverUsed'),
                  ].join(' · ')}
                </Dim>
              </Item>
            ))}
          </Stack>
        </Section>
      </Container>
      {open === 'password' && <ChangePassword close={close} />}
      {open === 'enrol' && <Enrol close={close} />}
      {open === 'remove' && <RemoveFactor close={close} />}
      {open === 'token' && (
        <NewToken
          close={close}
          done={(label, secret) => {
            void again('tokens')
            setTold({ label, secret })
          }}
        />
      )}
      {told && (
        <Told
          name={told.label}
          secret={told.secret}
          title={t('people.own.tokenTitle', { name: told.label })}
          text={t('people.own.tokenText')}
          close={() => setTold(null)}
        />
      )}
      {revoking && (
        <Ask
          title={t('people.revokeToken', { name: revoking.label })}
          word={t('people.revoke')}
          grave
          reason="none"
          close={() => setRevoking(null)}
          act={async () => {
            await api.DELETE('/me/tokens/{number}', { params: { path: { number: revoking.id } } })
            notifications.show({ message: t('people.tokenRevoked') })
            await again('tokens')
          }}
        />
      )}
    </>
  )
}
