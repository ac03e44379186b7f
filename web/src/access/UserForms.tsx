import { ActionIcon, Alert, Button, Code, CopyButton, Group, Modal, Select, Stack, Switch, TagsInput, Text, TextInput, Tooltip } from '@mantine/core'
import { DateInput } from '@mantine/dates'
import { IconCheck, IconCopy } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { Ask } from '../app/Ask'
import { EVERYWHERE, roleName, ScopeFields, type Scope } from './scopes'
import { useRoles, type User } from './Users'

type Language = '' | 'zh' | 'en'

/** A secret that is shown this once. */
export function Told({ name, secret, close, title, text }: { name: string; secret: string; close: () => void; title?: string; text?: string }) {
  const { t } = useTranslation()
  return (
    <Modal
      opened
      onClose={close}
      title={title ?? t('people.toldTitle', { name })}
      closeOnClickOutside={false}
      closeOnEscape={false}
      withCloseButton={false}
    >
      <Stack gap="sm">
        <Text size="sm">{text ?? t('people.toldText')}</Text>
        <Group gap="xs" wrap="nowrap">
          <Code fz="md" p="xs" style={{ flex: 1, overflowWrap: 'anywhere' }}>
            {secret}
          </Code>
          <CopyButton value={secret}>
            {({ copied, copy }) => (
              <Tooltip label={t(copied ? 'app.actions.copied' : 'app.actions.copy')}>
                <ActionIcon variant="default" size="lg" onClick={copy} aria-label={t('app.actions.copy')}>
                  {copied ? <IconCheck size={16} /> : <IconCopy size={16} />}
                </ActionIcon>
              </Tooltip>
            )}
          </CopyButton>
        </Group>
        <Alert color="yellow" variant="light" p="xs">
          {t('people.shownOnce')}
        </Alert>
        <Group justify="flex-end">
          <Button onClick={close} data-autofocus>
            {t('people.noted')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}

function useFields(user: User | null) {
  const { t } = useTranslation()
  const [displayName, setDisplayName] = useState(user?.display_name ?? '')
  const [language, setLanguage] = useState<Language>(user?.language ?? '')
  const [wards, setWards] = useState<string[]>(user?.wards ?? [])
  const inputs = (
    <>
      <TextInput
        label={t('people.displayName')}
        maxLength={200}
        value={displayName}
        onChange={(event) => setDisplayName(event.currentTarget.value)}
      />
      <Select
        label={t('people.language')}
        data={[
          { value: 'any', label: t('people.languageAny') },
          { value: 'zh', label: '中文' },
          { value: 'en', label: 'English' },
        ]}
        value={language || 'any'}
        allowDeselect={false}
        onChange={(value) => setLanguage(value === 'zh' || value === 'en' ? value : '')}
      />
      <TagsInput size="xs" label={t('people.wards')} description={t('people.wardsHelp')} value={wards} onChange={setWards} />
    </>
  )
  return { inputs, body: { display_name: displayName.trim(), language, wards } }
}

export function NewUser({ close, done }: { close: () => void; done: (name: string, password: string) => void }) {
  const { t } = useTranslation()
  const roles = useRoles()
  const [name, setName] = useState('')
  const [role, setRole] = useState<string | null>(null)
  const [without, setWithout] = useState(false)
  const { inputs, body } = useFields(null)
  return (
    <Ask
      title={t('people.add')}
      word={t('app.actions.add')}
      reason="none"
      ready={name.trim() !== ''}
      close={close}
      act={async () => {
        const made = await data(api.POST('/users', { body: { ...body, name: name.trim(), without_password: without } }))
        try {
          if (role) {
            await api.POST('/users/{name}/grants', {
              params: { path: { name: made.user.name } },
              body: { role: role as User['grants'][number]['role'], scope: EVERYWHERE, reason: '' },
            })
          }
        } finally {
          // the account is there, and its password is not shown again
          done(made.user.name, made.password)
        }
      }}
    >
      <TextInput
        label={t('people.name')}
        description={t('people.nameHelp')}
        data-autofocus
        required
        withAsterisk={false}
        maxLength={64}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      {inputs}
      <Select
        label={t('people.role')}
        description={t('people.roleHelp')}
        placeholder={t('app.none')}
        data={roles.map((one) => ({ value: one.role, label: roleName(one) }))}
        value={role}
        clearable
        searchable
        onChange={setRole}
      />
      <Switch label={t('people.without')} checked={without} onChange={(event) => setWithout(event.currentTarget.checked)} />
    </Ask>
  )
}

export function EditUser({ user, close, done }: { user: User; close: () => void; done: () => void }) {
  const { t } = useTranslation()
  const { inputs, body } = useFields(user)
  return (
    <Ask
      title={t('people.editTitle', { name: user.name })}
      word={t('app.actions.save')}
      reason="wanted"
      close={close}
      act={async (reason) => {
        await api.PATCH('/users/{name}', { params: { path: { name: user.name } }, body: { ...body, reason } })
        done()
      }}
    >
      {inputs}
    </Ask>
  )
}

export function NewGrant({ user, close, done }: { user: User; close: () => void; done: () => void }) {
  const { t } = useTranslation()
  const roles = useRoles()
  const [role, setRole] = useState<string | null>(null)
  const [scope, setScope] = useState<Scope>(EVERYWHERE)
  const [until, setUntil] = useState<string | null>(null)
  return (
    <Ask
      title={t('people.grantTitle', { name: user.display_name || user.name })}
      word={t('people.grant')}
      reason="wanted"
      ready={role !== null}
      close={close}
      act={async (reason) => {
        await api.POST('/users/{name}/grants', {
          params: { path: { name: user.name } },
          body: {
            role: role as User['grants'][number]['role'],
            scope,
            // to the end of that day, where the reader is
            until: until ? new Date(`${until}T23:59:59`).toISOString() : null,
            reason,
          },
        })
        done()
      }}
    >
      <Select
        label={t('people.role')}
        data={roles.map((one) => ({ value: one.role, label: roleName(one) }))}
        value={role}
        searchable
        data-autofocus
        onChange={setRole}
      />
      <ScopeFields scope={scope} set={setScope} />
      <DateInput
        size="xs"
        label={t('people.until')}
        placeholder={t('people.untilRevoked')}
        valueFormat="YYYY-MM-DD"
        minDate={new Date()}
        clearable
        value={until}
        onChange={setUntil}
      />
    </Ask>
  )
}
