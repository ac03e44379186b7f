import { Group, Select, TextInput } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { Ask } from '../app/Ask'
import { stationOptions, type Station } from './model'

/** A station is not there for a while: service, a holiday. */
export function CloseStation({ day, stations, close, done }: { day: string; stations: Station[]; close: () => void; done: () => void }) {
  const { t } = useTranslation()
  const [station, setStation] = useState('')
  const [from, setFrom] = useState('08:00')
  const [to, setTo] = useState('12:00')
  return (
    <Ask
      title={t('department.booking.close')}
      word={t('department.booking.close')}
      reason="wanted"
      ready={Boolean(station) && from < to}
      close={close}
      act={async (note) => {
        const at = (time: string) => new Date(`${day}T${time}:00`).toISOString()
        await data(api.POST('/stations/{station}/closures', { params: { path: { station } }, body: { starts_at: at(from), ends_at: at(to), note: note.slice(0, 200) } }))
        done()
      }}
    >
      <Select label={t('department.station')} data={stationOptions(stations)} value={station || null} onChange={(value) => setStation(value ?? '')} data-autofocus />
      <Group grow>
        <TextInput type="time" label={t('department.booking.from')} value={from} onChange={(event) => setFrom(event.currentTarget.value)} />
        <TextInput type="time" label={t('department.booking.to')} value={to} onChange={(event) => setTo(event.currentTarget.value)} />
      </Group>
    </Ask>
  )
}
