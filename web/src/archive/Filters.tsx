import { ActionIcon, Button, Checkbox, Group, Indicator, MultiSelect, Popover, SegmentedControl, Stack, Tooltip } from '@mantine/core'
import { DateInput } from '@mantine/dates'
import { IconFilter } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'

import { count } from '../app/format'
import { FIRST, type Wanted } from './useStudies'

export const SPANS = { anyTime: 0, today: 1, days3: 3, days7: 7, days30: 30, year: 365 } as const

export interface Facets {
  values: Record<string, { value: string; studies: number }[] | undefined>
  /** False: of the newest studies only; there are at least so many. */
  complete: boolean
}

interface Props {
  wanted: Wanted
  set: (wanted: Wanted) => void
  facets: Facets
}

/** The choices of a facet with how many studies each has; what was chosen and has none stays to be taken away. */
export function Facet({ name, label, chosen, facets, set, w }: {
  name: string
  label: string
  chosen: string[]
  facets: Facets
  set: (values: string[]) => void
  w?: number
}) {
  const more = facets.complete ? '' : '+'
  const found = (facets.values[name] ?? []).map((one) => ({ value: one.value, label: `${one.value} (${count(one.studies)}${more})` }))
  const missing = chosen.filter((value) => !found.some((one) => one.value === value))
  return (
    <MultiSelect
      w={w}
      aria-label={label}
      label={w ? undefined : label}
      placeholder={chosen.length || !w ? '' : label}
      data={[...found, ...missing.map((value) => ({ value, label: value }))].filter((one) => one.value)}
      value={chosen}
      onChange={set}
      searchable={!w}
      clearable
      comboboxProps={{ withinPortal: Boolean(w) }}
    />
  )
}

/** Filters that are not needed all day, behind one button. */
export function MoreFilters({ wanted, set, facets }: Props) {
  const { t } = useTranslation()
  const active =
    Number(wanted.stations.length > 0) +
    Number(wanted.institutions.length > 0) +
    Number(wanted.bodyParts.length > 0) +
    Number(wanted.from !== '' || wanted.to !== '') +
    Number(wanted.fuzzy)
  const facet = (name: string, key: 'stations' | 'institutions' | 'bodyParts') => (
    <Facet
      name={name}
      label={t(`archive.studies.${name}`)}
      chosen={wanted[key]}
      facets={facets}
      set={(values) => set({ ...wanted, [key]: values })}
    />
  )
  return (
    <Popover position="bottom-end" shadow="md" width={300} trapFocus>
      <Popover.Target>
        <Tooltip label={t('archive.studies.filters')}>
          <Indicator disabled={active === 0} label={active} size={14} color="filmless.8">
            <ActionIcon variant="default" size={30} aria-label={t('archive.studies.filters')}>
              <IconFilter size={16} />
            </ActionIcon>
          </Indicator>
        </Tooltip>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="xs">
          <div className="mantine-hidden-from-sm">
            <SegmentedControl
              fullWidth
              aria-label={t('archive.column.date')}
              data={Object.entries(SPANS)
                .filter(([word]) => word !== 'days3' && word !== 'year')
                .map(([word, value]) => ({ value: String(value), label: t(`archive.studies.${word as keyof typeof SPANS}`) }))}
              value={String(wanted.days)}
              onChange={(value) => set({ ...wanted, days: Number(value), from: '', to: '' })}
            />
          </div>
          <Group grow gap="xs">
            <DateInput
              size="xs"
              label={t('archive.studies.from')}
              valueFormat="YYYY-MM-DD"
              clearable
              popoverProps={{ withinPortal: false }}
              value={wanted.from || null}
              onChange={(from) => set({ ...wanted, from: from ?? '', days: 0 })}
            />
            <DateInput
              size="xs"
              label={t('archive.studies.to')}
              valueFormat="YYYY-MM-DD"
              clearable
              popoverProps={{ withinPortal: false }}
              value={wanted.to || null}
              onChange={(to) => set({ ...wanted, to: to ?? '', days: 0 })}
            />
          </Group>
          {facet('station', 'stations')}
          {facet('institution', 'institutions')}
          {facet('body_part', 'bodyParts')}
          <Checkbox
            label={t('archive.studies.fuzzy')}
            checked={wanted.fuzzy}
            onChange={(event) => set({ ...wanted, fuzzy: event.currentTarget.checked })}
          />
          <Button
            variant="subtle"
            size="compact-xs"
            disabled={active === 0}
            onClick={() => set({ ...FIRST, text: wanted.text, modalities: wanted.modalities, order: wanted.order, descending: wanted.descending })}
          >
            {t('archive.studies.clearFilters')}
          </Button>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  )
}
