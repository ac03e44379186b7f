import { ActionIcon, TextInput } from '@mantine/core'
import { IconChevronLeft, IconChevronRight } from '@tabler/icons-react'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { dayAfter, isoDay } from './model'

/** A day as 2026-11-22, with the one before and the one after. */
export function DayField({ day, set }: { day: string; set: (day: string) => void }) {
  const { t } = useTranslation()
  return (
    <div style={{ display: 'flex', alignItems: 'center', gap: 2 }}>
      <ActionIcon variant="subtle" color="gray" aria-label={t('department.dayBefore')} onClick={() => set(dayAfter(day, -1))}>
        <IconChevronLeft size={15} />
      </ActionIcon>
      <DayInput day={day} set={set} label={t('department.day')} />
      <ActionIcon variant="subtle" color="gray" aria-label={t('department.dayNext')} onClick={() => set(dayAfter(day, 1))}>
        <IconChevronRight size={15} />
      </ActionIcon>
    </div>
  )
}

/** A day as it is written here, whatever the browser makes of dates. */
export function DayInput({ day, set, label }: { day: string; set: (day: string) => void; label: string }) {
  const [typed, setTyped] = useState(day)
  useEffect(() => setTyped(day), [day])

  const take = (text: string) => {
    setTyped(text)
    const found = /^(\d{4})-?(\d{2})-?(\d{2})$/.exec(text.trim())
    if (!found) return
    const wanted = found.slice(1).join('-')
    const at = new Date(`${wanted}T12:00:00`)
    if (!Number.isNaN(at.valueOf()) && isoDay(at) === wanted) set(wanted)
  }
  return (
    <TextInput
      w={98}
      aria-label={label}
      inputMode="numeric"
      maxLength={10}
      value={typed}
      onChange={(event) => take(event.currentTarget.value)}
      onBlur={() => setTyped(day)}
      styles={{ input: { fontVariantNumeric: 'tabular-nums', textAlign: 'center' } }}
    />
  )
}
