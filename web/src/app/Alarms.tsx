import { ActionIcon, Indicator, Menu, Text, Tooltip } from '@mantine/core'
import { IconBell, IconCheck } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Fragment } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'

import { useMay } from '../access/session'
import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { usePeople } from '../department/model'
import { why } from './reasons'
import { showError } from './errors'
import { bytes, moment } from './format'
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
  alert: '/admin/audit?kind=alert',
  telling: '/admin/system',
}

/** What somebody can say to have seen; all else ends by itself. */
const SEEABLE = ['job', 'alert'] as const

/** What needs those in charge, wherever they are. Nothing at all for others. */
export function Alarms() {
  const { t } = useTranslation()
  const may = useMay()
  const [, navigate] = useLocation()
  const client = useQueryClient()
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
  const unseen = alarms.filter((one) => !one.seen_by)
  const grave = unseen.some((one) => one.grave)
  const label = t('admin.alarms.label', { count: unseen.length })

  const see = async (why: (typeof SEEABLE)[number], about: string) => {
    try {
      await api.POST('/system/alarms/seen', { body: { why, about } })
      await client.invalidateQueries({ queryKey: ['alarms'] })
    } catch (error) {
      showError(error)
    }
  }
  return (
    <Menu position="bottom-end" width={340} shadow="md">
      <Tooltip label={label}>
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={label} style={{ overflow: 'visible' }}>
            <Indicator
              disabled={unseen.length === 0}
              label={unseen.length}
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
        {alarms.map((one) => {
          const seeable = SEEABLE.find((why) => why === one.why && !one.seen_by)
          return (
            <Fragment key={`${one.why} ${one.about}`}>
              <Menu.Item
                leftSection={<Icon why={one.why} grave={one.grave} />}
                c={one.seen_by ? 'dimmed' : undefined}
                onClick={() => navigate(WHERE[one.why])}
              >
                <Words alarm={one} />
              </Menu.Item>
              {seeable && (
                <Menu.Item
                  pl={38}
                  py={4}
                  closeMenuOnClick={false}
                  leftSection={<IconCheck size={12} />}
                  onClick={() => void see(seeable, one.about)}
                >
                  <Text size="xs">{t('admin.alarms.see')}</Text>
                </Menu.Item>
              )}
            </Fragment>
          )
        })}
      </Menu.Dropdown>
    </Menu>
  )
}

function Icon({ why, grave }: { why: Alarm['why']; grave: boolean }) {
  const Found = sections.find((one) => one.path === WHERE[why].split('?')[0])?.icon ?? IconBell
  return <Found size={16} color={`var(--mantine-color-${grave ? 'red-6' : 'yellow-6'})`} />
}

export function Words({ alarm }: { alarm: Alarm }) {
  const { t } = useTranslation()
  const called = usePeople()
  const count = alarm.why === 'disk' ? bytes(alarm.count) : alarm.count
  return (
    <>
      <Text size="sm">
        {t(`admin.alarms.${alarm.why === 'certificate' && alarm.count < 0 ? 'ended' : alarm.why}`, {
          about: alarm.why === 'telling' ? t(`admin.told.${alarm.about}`) : alarm.about,
          number: count,
        })}
      </Text>
      {alarm.seen_by && (
        <Text size="xs">
          {t('admin.alarms.seen', { by: called(alarm.seen_by), at: moment(alarm.seen_at) })}
        </Text>
      )}
      {alarm.reason && alarm.why !== 'alert' && (
        <Text size="xs" c="dimmed" lineClamp={2}>
          {why(alarm.reason)}
        </Text>
      )}
    </>
  )
}
