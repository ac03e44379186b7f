import { Button, Group } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { Ask } from '../app/Ask'
import { showError } from '../app/errors'
import { day, listComma, moment } from '../app/format'
import { Dim, Facts, Item, Section } from '../app/ListPage'
import { usePeople } from '../department/model'
import { browserWords } from './browser'
import { roleName, scopeWords } from './scopes'
import { useMay } from './session'
import { EditUser, NewGrant } from './UserForms'
import { State, type User } from './Users'

interface Question {
  title: string
  text?: string
  word: string
  grave?: boolean
  reason?: 'needed' | 'wanted' | 'none'
  act: (reason: string) => Promise<unknown>
}

export function UserDetails({ user, tell }: { user: User; tell: (told: { name: string; password: string }) => void }) {
  const { t } = useTranslation()
  const called = usePeople()
  const may = useMay()
  const client = useQueryClient()
  const manages = may('users')
  const [asking, setAsking] = useState<Question | null>(null)
  const [form, setForm] = useState<'edit' | 'grant' | null>(null)
  const params = { path: { name: user.name } }
  const sessions = useQuery({
    queryKey: ['user', user.name, 'sessions'],
    queryFn: () => data(api.GET('/users/{name}/sessions', { params })),
  })
  const tokens = useQuery({
    queryKey: ['user', user.name, 'tokens'],
    queryFn: () => data(api.GET('/users/{name}/tokens', { params })),
  })
  const changed = async () => {
    await Promise.all([
      client.invalidateQueries({ queryKey: ['users'] }),
      client.invalidateQueries({ queryKey: ['user', user.name] }),
      // one's own rights may be other ones now
      client.invalidateQueries({ queryKey: ['session'] }),
    ])
  }
  const ask = (question: Question) =>
    setAsking({ ...question, act: async (reason) => {
      await question.act(reason)
      await changed()
    } })
  const name = user.display_name || user.name
  const button = (word: ReactNode, run: () => void, red = false) => (
    <Button variant={red ? 'light' : 'default'} color={red ? 'red' : undefined} onClick={run}>
      {word}
    </Button>
  )
  const small = (word: ReactNode, run: () => void) => (
    <Button size="compact-xs" variant="light" color="red" onClick={run}>
      {word}
    </Button>
  )

  return (
    <>
      {manages && (
        <Group gap="xs" mb="sm">
          {button(t('app.actions.edit'), () => setForm('edit'))}
          {button(t('people.reset'), () =>
            ask({
              title: t('people.resetTitle', { name }),
              text: t('people.resetText'),
              word: t('people.reset'),
              reason: 'wanted',
              act: async (reason) => {
                const made = await data(api.POST('/users/{name}/password', { params, body: { reason } }))
                tell({ name, password: made.password })
              },
            }),
          )}
          {user.locked &&
            button(t('people.unlock'), () => {
              void api.POST('/users/{name}/unlock', { params }).then(changed).catch(showError)
            })}
          {user.has_second_factor &&
            button(t('people.removeFactor'), () =>
              ask({
                title: t('people.removeFactorTitle', { name }),
                text: t('people.removeFactorText'),
                word: t('people.removeFactor'),
                grave: true,
                reason: 'none',
                act: () => api.DELETE('/users/{name}/totp', { params }),
              }),
            )}
          {button(
            t(user.enabled ? 'people.disable' : 'people.enable'),
            () =>
              ask({
                title: t(user.enabled ? 'people.disableTitle' : 'people.enableTitle', { name }),
                text: user.enabled ? t('people.disableText') : undefined,
                word: t(user.enabled ? 'people.disable' : 'people.enable'),
                grave: user.enabled,
                act: (reason) => api.PATCH('/users/{name}', { params, body: { enabled: !user.enabled, reason } }),
              }),
            user.enabled,
          )}
        </Group>
      )}
      <Facts
        facts={[
          [t('people.name'), user.name],
          [t('people.state'), <State user={user} />],
          [t('people.language'), user.language ? { zh: '中文', en: 'English' }[user.language] : t('people.languageAny')],
          [t('people.wards'), user.wards.join(', ')],
          [t('people.factor'), t(user.has_second_factor ? 'app.yes' : 'app.no')],
          [t('people.password'), t(user.has_password ? 'people.hasPassword' : 'people.without')],
          [t('people.signedIn'), moment(user.signed_in_at) || t('people.never')],
          [t('people.created'), moment(user.created_at)],
        ]}
      />
      <Section
        title={t('people.roles')}
        action={
          manages && (
            <Button size="compact-xs" variant="light" onClick={() => setForm('grant')}>
              {t('people.grant')}
            </Button>
          )
        }
      >
        {user.grants.length === 0 && <Dim>{t('people.noRoles')}</Dim>}
        {user.grants.map((one) => (
          <Item
            key={one.id}
            action={
              manages &&
              small(t('people.revoke'), () =>
                ask({
                  title: t('people.revokeTitle', { role: roleName(one), name }),
                  word: t('people.revoke'),
                  grave: true,
                  reason: 'wanted',
                  act: (reason) =>
                    api.DELETE('/users/{name}/grants/{number}', {
                      params: { path: { ...params.path, number: one.id }, query: { reason } },
                    }),
                }),
              )
            }
          >
            <span style={{ opacity: one.in_force ? 1 : 0.6 }}>{roleName(one)}</span>
            <Dim>{scopeWords(one.scope, t)}</Dim>
            <Dim>
              {[
                !one.in_force && t('people.notInForce'),
                one.source && t(`people.source.${one.source}`),
                one.until && t('people.untilDay', { day: moment(one.until) }),
                one.granted_by && t('people.grantedBy', { by: called(one.granted_by), day: day(one.granted_at.slice(0, 10)) }),
                one.reason,
              ]
                .filter(Boolean)
                .join(' · ')}
            </Dim>
          </Item>
        ))}
      </Section>
      <Section
        title={t('people.sessions')}
        action={
          manages &&
          (sessions.data?.sessions.length ?? 0) > 0 &&
          small(t('people.endSessions'), () =>
            ask({
              title: t('people.endSessionsTitle', { name }),
              word: t('people.endSessions'),
              grave: true,
              reason: 'none',
              act: () => api.DELETE('/users/{name}/sessions', { params }),
            }),
          )
        }
      >
        {sessions.data?.sessions.length === 0 && <Dim>{t('people.noSessions')}</Dim>}
        {sessions.data?.sessions.map((one) => (
          <Item key={one.id}>
            {browserWords(one.browser) || one.host}
            <Dim>
              {[one.host, t('people.seen', { at: moment(one.seen_at) })].join(' · ')}
            </Dim>
          </Item>
        ))}
      </Section>
      <Section title={t('people.tokens')}>
        {tokens.data?.tokens.length === 0 && <Dim>{t('people.noTokens')}</Dim>}
        {tokens.data?.tokens.map((one) => (
          <Item
            key={one.id}
            action={
              one.in_force &&
              may('tokens') &&
              small(t('people.revoke'), () =>
                ask({
                  title: t('people.revokeToken', { name: one.label }),
                  word: t('people.revoke'),
                  grave: true,
                  reason: 'none',
                  act: async () => {
                    await api.DELETE('/users/{name}/tokens/{number}', { params: { path: { ...params.path, number: one.id } } })
                    notifications.show({ message: t('people.tokenRevoked') })
                  },
                }),
              )
            }
          >
            <span style={{ opacity: one.in_force ? 1 : 0.6 }}>{one.label}</span>
            <Dim>{one.scopes.map((scope) => t(`people.action.${scope}`)).join(listComma())}</Dim>
            <Dim>
              {[
                one.revoked_at ? t('people.revokedAt', { at: moment(one.revoked_at) }) : t('people.untilDay', { day: moment(one.expires_at) }),
                one.used_at ? t('people.usedAt', { at: moment(one.used_at) }) : t('people.neverUsed'),
              ].join(' · ')}
            </Dim>
          </Item>
        ))}
      </Section>
      {asking && <Ask {...asking} close={() => setAsking(null)} />}
      {form === 'edit' && <EditUser user={user} close={() => setForm(null)} done={() => void changed()} />}
      {form === 'grant' && <NewGrant user={user} close={() => setForm(null)} done={() => void changed()} />}
    </>
  )
}
