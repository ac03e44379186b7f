import { MultiSelect, Select, TextInput } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { Ask } from '../app/Ask'
import { useSession, type Action } from './session'

/** A token for a program: it may no more than its owner. */
export function NewToken({ close, done }: { close: () => void; done: (label: string, secret: string) => void }) {
  const { t } = useTranslation()
  const session = useSession()
  const [label, setLabel] = useState('')
  const [scopes, setScopes] = useState<Action[]>(
    (['search', 'view'] as Action[]).filter((one) => session.actions.includes(one)),
  )
  const [days, setDays] = useState('90')
  return (
    <Ask
      title={t('people.own.newToken')}
      text={t('people.own.newTokenText')}
      word={t('app.actions.add')}
      reason="none"
      ready={label.trim() !== '' && scopes.length > 0}
      close={close}
      act={async () => {
        const made = await data(api.POST('/me/tokens', { body: { label: label.trim(), scopes, days: days ? Number(days) : null } }))
        done(made.token.label, made.secret)
      }}
    >
      <TextInput
        label={t('people.own.tokenFor')}
        data-autofocus
        maxLength={100}
        value={label}
        onChange={(event) => setLabel(event.currentTarget.value)}
      />
      <MultiSelect
        label={t('people.own.tokenMay')}
        data={session.actions.map((one) => ({ value: one, label: t(`people.action.${one}`) }))}
        value={scopes}
        searchable
        onChange={(values) => setScopes(values as Action[])}
      />
      <Select
        label={t('people.own.tokenEnds')}
        data={[30, 90, 365].map((one) => ({ value: String(one), label: t('people.own.days', { count: one }) }))}
        value={days}
        allowDeselect={false}
        onChange={(value) => setDays(value ?? '90')}
      />
    </Ask>
  )
}
