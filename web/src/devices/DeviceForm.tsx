import { Checkbox, Fieldset, Group, MultiSelect, NumberInput, Select, SimpleGrid, Stack, Switch, TextInput } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { EVERYWHERE, ScopeFields, type Scope } from '../access/scopes'
import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { Ask } from '../app/Ask'
import type { Device } from './Devices'

interface Props {
  /** null: a new one. */
  device: Device | null
  words: components['schemas']['DeviceList']
  close: () => void
  done: (device: Device) => void
}

export function DeviceForm({ device, words, close, done }: Props) {
  const { t } = useTranslation()
  const [title, setTitle] = useState(device?.ae_title ?? '')
  const [fields, setFields] = useState({
    description: device?.description ?? '',
    host: device?.host ?? '',
    port: device?.port ?? 0,
    tls: device?.tls ?? false,
    enabled: device?.enabled ?? true,
    character_set: device?.character_set ?? '',
    default_issuer: device?.default_issuer ?? '',
    services: device?.services ?? Object.keys(words.services),
    quirks: device?.quirks ?? [],
    duplicates: device?.duplicates ?? '',
    notify: device?.notify ?? false,
    quality_control: device?.quality_control ?? false,
    site: device?.site ?? '',
    department: device?.department ?? '',
  })
  const [scope, setScope] = useState<Scope>(device?.scope ?? EVERYWHERE)
  const set = (part: Partial<typeof fields>) => setFields((before) => ({ ...before, ...part }))

  const text = (name: 'description' | 'host' | 'default_issuer' | 'site' | 'department', label: string, help?: string) => (
    <TextInput
      label={t(label)}
      description={help && t(help)}
      maxLength={name === 'description' ? 200 : name === 'host' ? 253 : 64}
      value={fields[name]}
      onChange={(event) => set({ [name]: event.currentTarget.value })}
    />
  )
  const check = (name: 'tls' | 'notify' | 'quality_control' | 'enabled', label: string) => (
    <Switch label={t(label)} checked={fields[name]} onChange={(event) => set({ [name]: event.currentTarget.checked })} />
  )

  const act = async (reason: string) => {
    const body = { ...fields, host: fields.host.trim(), scope, reason }
    done(
      device
        ? await data(api.PATCH('/devices/{ae_title}', { params: { path: { ae_title: device.ae_title } }, body }))
        : await data(api.POST('/devices', { body: { ...body, ae_title: title.trim() } })),
    )
  }

  return (
    <Ask
      title={device ? t('devices.editTitle', { name: device.ae_title }) : t('devices.add')}
      word={t('app.actions.save')}
      reason={device ? 'needed' : 'wanted'}
      size="lg"
      ready={title.trim() !== '' && fields.services.length > 0}
      close={close}
      act={act}
    >
      <Stack gap="md">
        <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm" verticalSpacing="sm">
          <TextInput
            label={t('devices.aeTitle')}
            data-autofocus={device ? undefined : true}
            disabled={device !== null}
            maxLength={16}
            required
            withAsterisk={false}
            value={title}
            onChange={(event) => setTitle(event.currentTarget.value)}
          />
          {text('description', 'devices.description')}
          {text('host', 'devices.host')}
          <NumberInput
            label={t('devices.port')}
            min={0}
            max={65535}
            allowDecimal={false}
            value={fields.port || ''}
            onChange={(value) => set({ port: Number(value) || 0 })}
          />
        </SimpleGrid>
        <Group gap="lg">
          {check('enabled', 'devices.enabled')}
          {check('tls', 'devices.tls')}
          {check('notify', 'devices.notify')}
        </Group>
        <Fieldset legend={t('devices.services')} variant="unstyled">
          <Checkbox.Group value={fields.services} onChange={(services) => set({ services })}>
            <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="xs" verticalSpacing="xs">
              {Object.keys(words.services).map((one) => (
                <Checkbox key={one} value={one} label={t(`devices.service.${one}`)} />
              ))}
            </SimpleGrid>
          </Checkbox.Group>
        </Fieldset>
        <Fieldset legend={t('devices.belongs')} variant="unstyled">
          <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm">
            {text('site', 'people.scope.site')}
            {text('department', 'people.scope.department')}
          </SimpleGrid>
        </Fieldset>
        <Fieldset legend={t('devices.sees')} variant="unstyled">
          <ScopeFields scope={scope} set={setScope} device />
        </Fieldset>
        <Fieldset legend={t('devices.departs')} variant="unstyled">
          <Stack gap="sm">
            <MultiSelect
              label={t('devices.quirks')}
              data={Object.keys(words.quirks).map((one) => ({ value: one, label: t(`devices.quirk.${one}`) }))}
              value={fields.quirks}
              onChange={(quirks) => set({ quirks })}
            />
            <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm" verticalSpacing="sm">
              <Select
                label={t('devices.duplicates')}
                data={Object.keys(words.duplicates).map((one) => ({ value: one || 'default', label: t(`devices.duplicate.${one || 'default'}`) }))}
                value={fields.duplicates || 'default'}
                allowDeselect={false}
                onChange={(value) => set({ duplicates: value === 'default' || !value ? '' : value })}
              />
              <Select
                label={t('devices.characterSet')}
                placeholder={t('devices.asDeclared')}
                data={[...new Set([...words.character_sets, fields.character_set].filter(Boolean))]}
                value={fields.character_set || null}
                clearable
                searchable
                onChange={(value) => set({ character_set: value ?? '' })}
              />
              {text('default_issuer', 'devices.issuer')}
            </SimpleGrid>
            {check('quality_control', 'devices.quality')}
          </Stack>
        </Fieldset>
      </Stack>
    </Ask>
  )
}
