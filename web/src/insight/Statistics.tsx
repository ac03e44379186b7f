import { Button, Group, Loader, Menu, NativeSelect, SegmentedControl, UnstyledButton } from '@mantine/core'
import { useMediaQuery } from '@mantine/hooks'
import { IconDownload } from '@tabler/icons-react'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import type { TFunction } from 'i18next'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { ErrorNote, showError } from '../app/errors'
import { Grid, type Column } from '../app/Grid'
import { usePreference } from '../app/preferences'
import { language } from '../i18n'
import { DayInput } from '../department/DayField'
import { Behind, type Which } from './Behind'
import { beside, dayFrom, SETS, shown, type Kind, type SetName } from './figures'
import classes from './Statistics.module.css'

type Line = components['schemas']['LineWords']

const PERIODS = {
  today: () => [dayFrom(0), dayFrom(0)],
  week: () => [dayFrom(-6), dayFrom(0)],
  month: () => [dayFrom(0, 0, true), dayFrom(0)],
  lastMonth: () => [dayFrom(0, -1, true), lastOfLastMonth()],
  year: () => [dayFrom(-364), dayFrom(0)],
} as const
type Period = keyof typeof PERIODS

function lastOfLastMonth(): string {
  const now = new Date()
  const at = new Date(now.getFullYear(), now.getMonth(), 0)
  return `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, '0')}-${String(at.getDate()).padStart(2, '0')}`
}

/** The department in figures: a period, told apart by something, and behind each number its exams. */
export default function Statistics() {
  const { t } = useTranslation()
  const [set, setSet] = usePreference<SetName>('statistics.set', 'volume')
  const [group, setGroup] = usePreference<string>('statistics.group', 'modality')
  const [[begin, end], setDays] = useState<readonly [string, string]>(() => PERIODS.month() as unknown as [string, string])
  const [chosen, choose] = useState<string | null>(null)
  const [behind, setBehind] = useState<Which | null>(null)
  const indicators = [...(SETS[set] ?? SETS.volume)]
  const ready = Boolean(begin && end && begin <= end)

  const catalogue = useQuery({ queryKey: ['statistics'], queryFn: () => data(api.GET('/statistics')), staleTime: Infinity })
  const body = { begin, end, indicators, group, filters: {} }
  const query = useQuery({
    queryKey: ['statistics', body],
    queryFn: () => data(api.POST('/statistics', { body })),
    enabled: ready,
    placeholderData: keepPreviousData,
  })
  const kinds = useMemo(() => new Map<string, Kind>(catalogue.data?.indicators.map((one) => [one.code, one.kind])), [catalogue.data])
  const groups = catalogue.data?.groups ?? []
  const roomy = useMediaQuery('(min-width: 36em)', true, { getInitialValueInEffect: false })
  const first = chosen && (indicators as string[]).includes(chosen) ? chosen : indicators[0]!
  const answer = query.data
  const most = Math.max(0, ...(answer?.rows.map((row) => row.figures[first]?.value ?? 0) ?? []))
  const nameOf = (row: Line) => valueWords(t, group, row) || t('insight.nothing')

  const columns: Column<Line>[] = [
    { id: 'name', title: <span className={classes.capital}>{group ? t(`insight.groups.${group}`) : ''}</span>, width: roomy ? 200 : 120, cell: nameOf },
    {
      id: 'bar',
      title: t(`insight.figures.${first}`),
      width: roomy ? 220 : 90,
      cell: (row) => (
        <span className={classes.bar} aria-hidden>
          <span style={{ width: `${most ? ((row.figures[first]?.value ?? 0) / most) * 100 : 0}%` }} />
        </span>
      ),
    },
    ...indicators.map((code) => ({
      id: code,
      title: t(`insight.figures.${code}`),
      width: kinds.get(code) === 'spread' ? 210 : roomy ? 130 : 84,
      end: true,
      cell: (row: Line) => {
        const figure = row.figures[code]
        const kind = kinds.get(code)
        if (!figure || !kind) return null
        return (
          <span className={classes.cell}>
            <span className={classes.small}>{beside(figure, kind)}</span>
            {figure.of ? (
              <button type="button" className={classes.number} onClick={() => setBehind({ code, key: row.key, name: nameOf(row), which: 'of' })}>
                {shown(figure, kind)}
              </button>
            ) : (
              shown(figure, kind)
            )}
          </span>
        )
      },
    })),
  ]

  const save = async (format: 'csv' | 'xlsx') => {
    try {
      const file = await data(api.POST('/statistics/file', { body: { ...body, format, language: language() }, parseAs: 'blob' }))
      const link = document.createElement('a')
      link.href = URL.createObjectURL(file as Blob)
      link.download = `filmless-${begin}-${end}.${format}`
      link.click()
      URL.revokeObjectURL(link.href)
    } catch (error) {
      showError(error)
    }
  }

  return (
    <div className={classes.page}>
      <div className={classes.head}>
        <h1 className={classes.title}>{t('app.nav.statistics')}</h1>
        <NativeSelect
          aria-label={t('insight.set')}
          value={set}
          onChange={(event) => setSet(event.currentTarget.value as SetName)}
          data={(Object.keys(SETS) as SetName[]).map((one) => ({ value: one, label: t(`insight.sets.${one}`) }))}
        />
        <NativeSelect
          aria-label={t('insight.group')}
          value={group}
          onChange={(event) => setGroup(event.currentTarget.value)}
          data={groups.map((one) => ({ value: one, label: `${t('insight.by')} ${t(`insight.groups.${one}`)}` }))}
        />
        <SegmentedControl
          aria-label={t('insight.period')}
          value={(Object.keys(PERIODS) as Period[]).find((one) => PERIODS[one]().join() === [begin, end].join()) ?? ''}
          onChange={(value) => setDays(PERIODS[value as Period]() as unknown as [string, string])}
          data={(Object.keys(PERIODS) as Period[]).map((one) => ({ value: one, label: t(`insight.periods.${one}`) }))}
        />
        <Group gap={4} wrap="nowrap">
          <DayInput day={begin} label={t('insight.begin')} set={(day) => setDays([day, day > end ? day : end])} />
          <span>–</span>
          <DayInput day={end} label={t('insight.end')} set={(day) => setDays([day < begin ? day : begin, day])} />
        </Group>
        <div className={classes.end}>
          {query.isFetching && <Loader size="xs" />}
          <Menu>
            <Menu.Target>
              <Button variant="default" leftSection={<IconDownload size={14} />} disabled={!answer}>
                {t('insight.save')}
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item onClick={() => void save('xlsx')}>XLSX</Menu.Item>
              <Menu.Item onClick={() => void save('csv')}>CSV</Menu.Item>
            </Menu.Dropdown>
          </Menu>
        </div>
      </div>
      <div className={classes.totals}>
        {indicators.map((code) => {
          const figure = answer?.total.figures[code]
          const kind = kinds.get(code)
          return (
            <UnstyledButton key={code} className={classes.total} data-chosen={code === first || undefined} aria-pressed={code === first} onClick={() => choose(code)}>
              <div className={classes.name} title={t(`insight.figures.${code}`)}>
                {t(`insight.figures.${code}`)}
              </div>
              <div className={classes.value}>{figure && kind ? shown(figure, kind) : '–'}</div>
              <div className={classes.small}>{figure && kind ? beside(figure, kind) : ''}</div>
            </UnstyledButton>
          )
        })}
      </div>
      <div className={classes.body}>
        {query.isError || catalogue.isError ? (
          <div style={{ padding: '0.75rem' }}>
            <ErrorNote error={query.error ?? catalogue.error} again={() => void query.refetch()} />
          </div>
        ) : (
          <Grid label={t('app.nav.statistics')} columns={columns} rows={answer?.rows ?? []} rowId={(row) => row.key} empty={query.isPending ? <Loader size="sm" /> : t('insight.none')} />
        )}
      </div>
      {behind && <Behind which={behind} question={body} kind={kinds.get(behind.code)} close={() => setBehind(null)} />}
    </div>
  )
}

/** Words for the value of a group: of the server where it has some, else ours. */
function valueWords(t: TFunction, group: string, row: Line): string {
  if (group === 'weekday' && row.key) return t(`insight.weekdays.${row.key}`)
  if (group === 'hour' && row.key) return `${row.key}:00`
  if (['priority', 'result', 'patient-class'].includes(group) && row.key) return t(`insight.values.${row.key}`, row.key)
  return language() === 'zh' ? row.name_zh : row.name_en
}
