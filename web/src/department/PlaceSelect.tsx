import { Select } from '@mantine/core'

import { placeOptions, useMaster } from './model'

interface Props {
  kind: 'department' | 'ward'
  label: string
  className?: string
  required?: boolean
  withAsterisk?: boolean
  /** Its code; "" for none. */
  value: string
  set: (code: string) => void
}

/** A place that one types the beginning of: Enter takes the first that fits. */
export function PlaceSelect({ kind, value, set, ...more }: Props) {
  const master = useMaster()
  return (
    <Select
      {...more}
      data={placeOptions(master.data, kind)}
      value={value || null}
      onChange={(code) => set(code ?? '')}
      searchable
      // by both: else what is marked at the first sign is forgotten when the list has opened
      selectFirstOptionOnChange
      selectFirstOptionOnDropdownOpen
      clearable
    />
  )
}
