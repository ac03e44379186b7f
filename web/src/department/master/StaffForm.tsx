import { Select, SimpleGrid, Switch, TextInput } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api } from '../../api/client'
import { Ask } from '../../app/Ask'
import { nameOf, useMaster, type Master } from '../model'

interface Props {
  member: Master['staff'][number] | null
  close: () => void
  done: () => void
}

export function StaffForm({ member, close, done }: Props) {
  const { t } = useTranslation()
  const master = useMaster()
  const [account, setAccount] = useState(member?.account ?? '')
  const [fields, setFields] = useState({
    name_zh: member?.name_zh ?? '',
    name_en: member?.name_en ?? '',
    title: member?.title ?? '',
    licence: member?.licence ?? '',
    department: member?.department ?? '',
    single_sign: member?.single_sign ?? false,
  })
  const set = (part: Partial<typeof fields>) => setFields((before) => ({ ...before, ...part }))
  const text = (name: 'name_zh' | 'name_en' | 'title' | 'licence', label: string) => (
    <TextInput label={label} maxLength={name === 'licence' ? 64 : 100} value={fields[name]} onChange={(event) => set({ [name]: event.currentTarget.value })} />
  )
  return (
    <Ask
      title={member ? member.account : t('app.actions.add')}
      word={t('app.actions.save')}
      reason="wanted"
      ready={Boolean(account.trim())}
      close={close}
      act={async (reason) => {
        await api.PUT('/master/staff/{account}', { params: { path: { account: account.trim() } }, body: { ...fields, reason } })
        done()
      }}
    >
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <TextInput label={t('department.master.account')} maxLength={64} disabled={member !== null} value={account} onChange={(event) => setAccount(event.currentTarget.value)} data-autofocus />
        <Select
          label={t('department.master.department')}
          data={(master.data?.places ?? []).filter((one) => one.kind === 'department').map((one) => ({ value: one.code, label: nameOf(one, one.code) }))}
          value={fields.department || null}
          onChange={(value) => set({ department: value ?? '' })}
          clearable
          searchable
        />
        {text('name_zh', t('department.master.nameZh'))}
        {text('name_en', t('department.master.nameEn'))}
        {text('title', t('department.master.jobTitle'))}
        {text('licence', t('department.master.licence'))}
      </SimpleGrid>
      <Switch label={t('department.master.single')} checked={fields.single_sign} onChange={(event) => set({ single_sign: event.currentTarget.checked })} />
    </Ask>
  )
}
