import { Select, SimpleGrid, Switch, TextInput } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api } from '../../api/client'
import { Ask } from '../../app/Ask'
import { nameOf, useMaster, type Master } from '../model'

interface Props {
  place: Master['places'][number] | null
  close: () => void
  done: () => void
}

const KINDS = ['site', 'department', 'ward', 'room'] as const

export function PlaceForm({ place, close, done }: Props) {
  const { t } = useTranslation()
  const master = useMaster()
  const [kind, setKind] = useState<string>(place?.kind ?? 'department')
  const [code, setCode] = useState(place?.code ?? '')
  const [fields, setFields] = useState({
    name_zh: place?.name_zh ?? '',
    name_en: place?.name_en ?? '',
    site: place?.site ?? '',
    department: place?.department ?? '',
    active: place?.active ?? true,
  })
  const [more, setMore] = useState<Record<string, unknown>>(place?.more ?? {})
  const set = (part: Partial<typeof fields>) => setFields((before) => ({ ...before, ...part }))
  const places = (of: string) => (master.data?.places ?? []).filter((one) => one.kind === of).map((one) => ({ value: one.code, label: nameOf(one, one.code) }))
  return (
    <Ask
      title={place ? place.code : t('app.actions.add')}
      word={t('app.actions.save')}
      reason="wanted"
      ready={Boolean(code.trim() && (fields.name_zh.trim() || fields.name_en.trim()))}
      close={close}
      act={async (reason) => {
        await api.PUT('/master/places/{kind}/{code}', { params: { path: { kind, code: code.trim() } }, body: { ...fields, more, reason } })
        done()
      }}
    >
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <Select
          label={t('department.master.kind')}
          disabled={place !== null}
          data={KINDS.map((one) => ({ value: one as string, label: t(`department.master.placeKinds.${one}`) }))}
          value={kind}
          onChange={(value) => setKind(value ?? kind)}
          allowDeselect={false}
        />
        <TextInput label={t('department.master.code')} maxLength={16} disabled={place !== null} value={code} onChange={(event) => setCode(event.currentTarget.value)} data-autofocus />
        <TextInput label={t('department.master.nameZh')} maxLength={100} value={fields.name_zh} onChange={(event) => set({ name_zh: event.currentTarget.value })} />
        <TextInput label={t('department.master.nameEn')} maxLength={100} value={fields.name_en} onChange={(event) => set({ name_en: event.currentTarget.value })} />
        {kind !== 'site' && <Select label={t('department.master.site')} data={places('site')} value={fields.site || null} onChange={(value) => set({ site: value ?? '' })} clearable />}
        {(kind === 'ward' || kind === 'room') && (
          <Select label={t('department.master.department')} data={places('department')} value={fields.department || null} onChange={(value) => set({ department: value ?? '' })} clearable searchable />
        )}
        {kind === 'site' && (
          <TextInput
            label={t('department.master.prefix')}
            maxLength={2}
            value={String(more.prefix ?? '')}
            onChange={(event) => setMore({ ...more, prefix: event.currentTarget.value.toUpperCase().replace(/[^A-Z0-9]/g, '') })}
          />
        )}
      </SimpleGrid>
      <Switch label={t('department.master.inUse')} checked={fields.active} onChange={(event) => set({ active: event.currentTarget.checked })} />
    </Ask>
  )
}
