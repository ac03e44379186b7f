import { ActionIcon, Indicator, Menu, Text, Tooltip } from '@mantine/core'
import { IconBell } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'

import { useMay } from '../access/session'
import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { bytes } from './format'
import { why } from '../devices/reasons'
import { inCharge, sections } from './sections'

type Alarm = components['schemas']['Alarm']

const WHERE: Record<Alarm['why'], string> = {
  server: '/admin/system',
  disk: '/admin/system',
  database: '/admin/system',
  worker: '/admin/system',
  certificate: '/admin/system',
  device: '/admin/devices',
  job: '/admin/jobs',
  quarantine: '/admin/quarantine',
  emergency: '/admin/emergencies',
  telling: '/admin/system',
}

/** What needs those in charge, wherever they are. Nothing at all for others. */
export function Alarms() {
  const { t } = useTranslation()
  const may = useMay()
  const [, navigate] = useLocation()
  const concerned = inCharge.some((action) => may(action))
  const query = useQuery({
    queryKey: ['alarms'],
    queryFn: () => data(api.GET('/system/alarms')),
    enabled: concerned,
    refetchInterval: 60_000,
    staleTime: 30_000,
  })
  if (!concerned) return null
  const alarms = query.data?.alarms ?? []
  const grave = alarms.some((one) => one.grave)
  const label = t('admin.alarms.label', { count: alarms.length })
  return (
    <Menu position="bottom-end" width={340} shadow="md">
      <Tooltip label={label}>
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={label}>
            <Indicator
              disabled={alarms.length === 0}
              label={alarms.length}
              size={14}
              offset={2}
              color={grave ? 'red.8' : 'yellow.5'}
              autoContrast
            >
              <IconBell size={18} />
            </Indicator>
          </ActionIcon>
        </Menu.Target>
      </Tooltip>
      <Menu.Dropdown mah="70vh" style={{ overflow: 'auto' }}>
        <Menu.Label>{t('admin.alarms.title')}</Menu.Label>
        {alarms.length === 0 && (
          <Text size="sm" c="dimmed" px="sm" pb="xs">
            {t('admin.alarms.none')}
          </Text>
        )}
        {alarms.map((one) => (
          <Menu.Item
            key={`${one.why} ${one.about}`}
            leftSection={<Icon why={one.why} grave={one.grave} />}
            onClick={() => navigate(WHERE[one.why])}
          >
            <Words alarm={one} />
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}

function Icon({ why, grave }: { why: Alarm['why']; grave: boolean }) {
  const Found = sections.find((one) => one.path === WHERE[why])?.icon ?? IconBell
  return <Found size={16} color={`var(--mantine-color-${grave ? 'red-6' : 'yellow-6'})`} />
}

export function Words({ alarm }: { alarm: Alarm }) {
  const { t } = useTranslation()
  const count = alarm.why === 'disk' ? bytes(alarm.count) : alarm.count
  return (
    <>
      <Text size="sm">
        {t(`admin.alarms.${alarm.why === 'certificate' && alarm.count < 0 ? 'ended' : alarm.why}`, {
          about: alarm.why === 'telling' ? t(`admin.told.${alarm.about}`) : alarm.about,
          number: count,
        })}
      </Text>
      {(alarm.why === 'device' || alarm.why === 'telling') && (
        <Text size="xs" c="dimmed" lineClamp={2}>
          {alarm.why === 'device' ? why(alarm.reason) : alarm.reason}
        </Text>
      )}
    </>
  )
}
