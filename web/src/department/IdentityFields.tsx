/** Who it is: by which document it was checked, and what to do where it does not fit. */
import { Alert, PasswordInput, Select, SimpleGrid, TextInput } from '@mantine/core'
import { IconAlertTriangle } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'

import { useMay } from '../access/session'
import { DOCUMENTS, nameOf, useMaster, wordsOfKind, type Document } from './model'

/** Who lets somebody through although it did not fit, where whoever checks may not. */
export interface Supervisor {
  account: string
  password: string
  passcode: string
}

export const NOBODY: Supervisor = { account: '', password: '', passcode: '' }

/** As the API wants it; undefined where nobody has given a name. */
export function supervisorBody({ account, password, passcode }: Supervisor) {
  return account.trim() ? { account: account.trim(), password, passcode: passcode.trim() } : undefined
}

export interface Identity {
  document: Document | ''
  number: string
  despite: string
  supervisor: Supervisor
}

export const NOT_CHECKED: Identity = { document: '', number: '', despite: '', supervisor: NOBODY }

/** As the API wants it; undefined where nothing was checked. */
export function identityBody(identity: Identity) {
  return identity.document
    ? { document: identity.document, number: identity.number.trim(), fits: true, despite: identity.despite.trim(), supervisor: supervisorBody(identity.supervisor) }
    : undefined
}

interface Props {
  identity: Identity
  set: (identity: Identity) => void
  /** What the server said of the last attempt. */
  failed?: { code: string; words: string }
  /** A scanner ends what it reads with Enter. */
  onScanned?: () => void
}

export function IdentityFields({ identity, set, failed, onScanned }: Props) {
  const { t } = useTranslation()
  const may = useMay()
  const master = useMaster()
  const numbered = identity.document !== '' && identity.document !== 'two-identifiers'
  // a wrong password of whoever lets through is said there, too
  const stopped = failed && (identity.despite !== '' || ['identity-failed', 'document-elsewhere', 'not-permitted'].includes(failed.code))
  return (
    <>
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <Select
          label={t('department.identity.how')}
          placeholder={t('department.identity.none')}
          data={DOCUMENTS.map((one) => ({ value: one, label: t(`department.identity.${one}`) }))}
          value={identity.document || null}
          onChange={(value) => set({ ...NOT_CHECKED, document: (value as Document) ?? '' })}
          clearable
        />
        {numbered && (
          <TextInput
            label={t('department.identity.number')}
            placeholder={t('department.identity.scan')}
            maxLength={64}
            autoComplete="off"
            spellCheck={false}
            autoFocus
            value={identity.number}
            onChange={(event) => set({ ...identity, number: event.currentTarget.value })}
            onKeyDown={(event) => {
              if (event.key === 'Enter') {
                event.preventDefault()
                onScanned?.()
              }
            }}
          />
        )}
      </SimpleGrid>
      {stopped && (
        <Alert color={failed.code === 'document-elsewhere' ? 'red' : 'yellow'} variant="light" p="xs" mt="sm" icon={<IconAlertTriangle size={16} />} role="alert">
          {failed.words}
          <Select
            mt="xs"
            label={t('department.identity.despite')}
            data={wordsOfKind(master.data, 'reason-override').map((one) => ({ value: nameOf(one, one.code), label: nameOf(one, one.code) }))}
            value={identity.despite || null}
            onChange={(value) => set({ ...identity, despite: value ?? '' })}
          />
          {!may('override-identity') && <SupervisorFields supervisor={identity.supervisor} set={(supervisor) => set({ ...identity, supervisor })} />}
        </Alert>
      )}
    </>
  )
}

/** Somebody with the right stands by, and shows that it is they. */
export function SupervisorFields({ supervisor, set }: { supervisor: Supervisor; set: (supervisor: Supervisor) => void }) {
  const { t } = useTranslation()
  return (
    <>
      <div style={{ marginTop: '0.5rem' }}>{t('department.identity.askHead')}</div>
      <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="xs" mt={4}>
        <TextInput label={t('department.identity.supervisor')} autoComplete="off" maxLength={64} value={supervisor.account} onChange={(event) => set({ ...supervisor, account: event.currentTarget.value })} />
        <PasswordInput label={t('patients.password')} autoComplete="new-password" maxLength={200} value={supervisor.password} onChange={(event) => set({ ...supervisor, password: event.currentTarget.value })} />
        <TextInput label={t('patients.passcode')} autoComplete="off" inputMode="numeric" maxLength={16} value={supervisor.passcode} onChange={(event) => set({ ...supervisor, passcode: event.currentTarget.value })} />
      </SimpleGrid>
    </>
  )
}
