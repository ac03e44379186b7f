import { Button, Group, Text } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { scopeWords } from '../access/scopes'
import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { Ask } from '../app/Ask'
import { colon, listComma, moment } from '../app/format'
import { Dim, Dot, Facts, Item, Section } from '../app/ListPage'
import { Answers, type Device } from './Devices'
import { why } from '../app/reasons'
import { usePeople } from '../department/model'

interface Props {
  device: Device
  words: components['schemas']['DeviceList']
  waiting: boolean
  check: () => void
  edit: () => void
  gone: () => void
}

export function DeviceDetails({ device, waiting, check, edit, gone }: Props) {
  const { t } = useTranslation()
  const called = usePeople()
  const client = useQueryClient()
  const [asking, setAsking] = useState<'remove' | 'switch' | null>(null)
  const path = { path: { ae_title: device.ae_title } }
  const history = useQuery({
    queryKey: ['device', device.ae_title, 'history'],
    queryFn: () => data(api.GET('/devices/{ae_title}/history', { params: path })),
  })
  const yes = (value: boolean) => t(value ? 'app.yes' : 'app.no')

  return (
    <>
      <Group gap="xs" mb="sm">
        <Button onClick={check} loading={waiting} disabled={!device.host || !device.enabled}>
          {t('devices.check')}
        </Button>
        <Button variant="default" onClick={edit}>
          {t('app.actions.edit')}
        </Button>
        <Button variant="default" onClick={() => setAsking('switch')}>
          {t(device.enabled ? 'devices.disable' : 'devices.enable')}
        </Button>
        <Button variant="light" color="red" onClick={() => setAsking('remove')}>
          {t('devices.remove')}
        </Button>
      </Group>
      <Text size="sm" mb="sm" role="status" style={{ overflowWrap: 'anywhere' }}>
        <Answers device={device} waiting={waiting} />
      </Text>
      <Facts
        facts={[
          [t('devices.description'), device.description],
          [t('devices.address'), device.host ? `${device.host}:${device.port}` : t('devices.callsOnly')],
          ['TLS', yes(device.tls)],
          [t('devices.checked'), moment(device.checked_at)],
          [t('devices.services'), device.services.map((one) => t(`devices.service.${one}`)).join(listComma()) || t('app.none')],
          [t('devices.quirks'), device.quirks.map((one) => t(`devices.quirk.${one}`)).join(listComma())],
          [t('devices.duplicates'), t(`devices.duplicate.${device.duplicates || 'default'}`)],
          [t('devices.characterSet'), device.character_set],
          [t('devices.issuer'), device.default_issuer],
          [t('devices.notify'), yes(device.notify)],
          [t('devices.quality'), yes(device.quality_control)],
          [t('people.scope.site'), device.site],
          [t('people.scope.department'), device.department],
          [t('devices.sees'), scopeWords(device.scope, t)],
          [t('devices.changed'), moment(device.changed_at)],
        ]}
      />
      <Section title={t('devices.history')}>
        {history.data?.events.map((one) => (
          <Item key={one.at + one.what}>
            {one.what === 'reachable' || one.what === 'unreachable' ? (
              <Dot how={one.what === 'reachable' ? 'good' : 'bad'}>{t(`devices.event.${one.what}`)}</Dot>
            ) : (
              t(`devices.event.${one.what}`)
            )}
            {Object.entries(one.changes).length > 0 && `${colon()}${Object.keys(one.changes).map((name) => t(`devices.field.${name}`)).join(listComma())}`}
            {one.reason && <Dim>{one.by ? one.reason : why(one.reason)}</Dim>}
            <Dim>{[moment(one.at), called(one.by)].filter(Boolean).join(' · ')}</Dim>
          </Item>
        ))}
      </Section>
      {asking === 'remove' && (
        <Ask
          title={t('devices.removeTitle', { name: device.ae_title })}
          text={t('devices.removeText')}
          word={t('devices.remove')}
          grave
          close={() => setAsking(null)}
          act={async (reason) => {
            await api.DELETE('/devices/{ae_title}', { params: { ...path, query: { reason } } })
            gone()
            await client.invalidateQueries({ queryKey: ['devices'] })
          }}
        />
      )}
      {asking === 'switch' && (
        <Ask
          title={t(device.enabled ? 'devices.disableTitle' : 'devices.enableTitle', { name: device.ae_title })}
          text={t(device.enabled ? 'devices.disableText' : 'devices.enableText')}
          word={t(device.enabled ? 'devices.disable' : 'devices.enable')}
          close={() => setAsking(null)}
          act={async (reason) => {
            await api.PATCH('/devices/{ae_title}', { params: path, body: { enabled: !device.enabled, reason } })
            await client.invalidateQueries({ queryKey: ['devices'] })
            await client.invalidateQueries({ queryKey: ['device', device.ae_title] })
          }}
        />
      )}
    </>
  )
}
