/** Scopes: of which studies a right is. */
import { Checkbox, Stack, TagsInput } from '@mantine/core'
import type { TFunction } from 'i18next'
import { useTranslation } from 'react-i18next'

import type { components } from '../api/schema'
import { language } from '../i18n'

export type Scope = components['schemas']['ScopeWords']

export const EVERYWHERE: Scope = { own_patients: false, shared_only: false, sensitive: false }

/** In words of one line. */
export function scopeWords(scope: Scope, t: TFunction): string {
  const words: string[] = []
  if (scope.sites?.length) words.push(t('people.scope.ofSites', { list: scope.sites.join(', ') }))
  if (scope.departments?.length) words.push(t('people.scope.ofDepartments', { list: scope.departments.join(', ') }))
  if (scope.modalities?.length) words.push(scope.modalities.join(', '))
  if (scope.own_patients) words.push(t('people.scope.ownPatients'))
  if (scope.shared_only) words.push(t('people.scope.sharedOnly'))
  if (words.length === 0) words.push(t('people.scope.everywhere'))
  if (scope.sensitive) words.push(t('people.scope.sensitive'))
  return words.join(' · ')
}

export function ScopeFields({ scope, set, device }: { scope: Scope; set: (scope: Scope) => void; device?: boolean }) {
  const { t } = useTranslation()
  const list = (name: 'sites' | 'departments' | 'modalities') => (
    <TagsInput
      size="xs"
      label={t(`people.scope.${name}`)}
      placeholder={scope[name]?.length ? undefined : t('people.scope.all')}
      data={name === 'modalities' ? ['CR', 'CT', 'DX', 'MG', 'MR', 'NM', 'PT', 'RF', 'US', 'XA'] : []}
      value={scope[name] ?? []}
      clearable
      onChange={(values) => {
        const cleaned = values.map((one) => (name === 'modalities' ? one.trim().toUpperCase() : one.trim())).filter(Boolean)
        set({ ...scope, [name]: cleaned.length ? [...new Set(cleaned)] : null })
      }}
    />
  )
  const check = (name: 'own_patients' | 'shared_only' | 'sensitive', word: string) => (
    <Checkbox
      label={t(`people.scope.${word}`)}
      checked={scope[name] ?? false}
      onChange={(event) => set({ ...scope, [name]: event.currentTarget.checked })}
    />
  )
  return (
    <Stack gap="xs">
      {list('sites')}
      {list('departments')}
      {list('modalities')}
      {!device && check('own_patients', 'ownPatients')}
      {!device && check('shared_only', 'sharedOnly')}
      {check('sensitive', 'sensitive')}
    </Stack>
  )
}

/** A role in the reader's language. */
export function roleName(role: { name_en: string; name_zh: string }): string {
  return language() === 'zh' ? role.name_zh : role.name_en
}
