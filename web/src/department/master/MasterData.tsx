/** What the department is: stations, procedures, classes, places, reasons, staff. */
import { Button, SegmentedControl } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { IconPlus } from '@tabler/icons-react'
import { useMemo, useState, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import type { Column } from '../../app/Grid'
import { Dot, Facts, ListPage } from '../../app/ListPage'
import { nameOf, useMaster, usePlaceNames, type Master, type Word } from '../model'
import { PlaceForm } from './PlaceForm'
import { StaffForm } from './StaffForm'
import { hoursWords, StationForm } from './StationForm'
import { WordForm } from './WordForm'

const TABS = ['stations', 'procedures', 'classes', 'places', 'reasons', 'staff'] as const
type Tab = (typeof TABS)[number]
type Row =
  | { of: 'station'; key: string; row: Master['stations'][number] }
  | { of: 'word'; key: string; row: Word }
  | { of: 'place'; key: string; row: Master['places'][number] }
  | { of: 'staff'; key: string; row: Master['staff'][number] }

export default function MasterData() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const query = useMaster()
  const place = usePlaceNames()
  const [tab, setTab] = useState<Tab>('stations')
  const [chosen, choose] = useState<string | null>(null)
  const [editing, setEditing] = useState<Row | 'new' | null>(null)

  const rows = useMemo<Row[]>(() => (query.data ? rowsOf(query.data, tab) : []), [query.data, tab])
  const row = rows.find((one) => one.key === chosen)
  const columns = useMemo(() => columnsOf(tab, t, place), [tab, t, place])
  const done = () => void client.invalidateQueries({ queryKey: ['master'] })
  const close = () => setEditing(null)
  const edited = editing === 'new' || editing === null ? null : editing

  return (
    <>
      <ListPage
        title={t('department.master.title')}
        name={`master.${tab}`}
        found={query.data && t('department.master.found', { count: rows.length })}
        tools={
          <>
            <SegmentedControl
              value={tab}
              aria-label={t('department.master.title')}
              onChange={(value) => {
                setTab(value as Tab)
                choose(null)
              }}
              data={TABS.map((one) => ({ value: one, label: t(`department.master.${one}`) }))}
            />
            <Button leftSection={<IconPlus size={14} />} onClick={() => setEditing('new')}>
              {t('app.actions.add')}
            </Button>
          </>
        }
        columns={columns}
        rows={rows}
        rowId={(one) => one.key}
        query={query}
        empty={t('department.master.none')}
        chosen={chosen}
        choose={choose}
        detailsTitle={row && titleOf(row)}
        details={
          row && (
            <>
              <Button mb="sm" variant="default" onClick={() => setEditing(row)}>
                {t('app.actions.edit')}
              </Button>
              <Facts facts={columns.map((column) => [column.title, column.cell(row)])} />
            </>
          )
        }
      />
      {editing && tab === 'stations' && <StationForm station={edited?.of === 'station' ? edited.row : null} close={close} done={done} />}
      {editing && ['procedures', 'classes', 'reasons'].includes(tab) && (
        <WordForm tab={tab as 'procedures'} word={edited?.of === 'word' ? edited.row : null} close={close} done={done} />
      )}
      {editing && tab === 'places' && <PlaceForm place={edited?.of === 'place' ? edited.row : null} close={close} done={done} />}
      {editing && tab === 'staff' && <StaffForm member={edited?.of === 'staff' ? edited.row : null} close={close} done={done} />}
    </>
  )
}

function rowsOf(master: Master, tab: Tab): Row[] {
  const words = (fits: (kind: string) => boolean): Row[] =>
    master.words.filter((one) => fits(one.kind)).map((row) => ({ of: 'word', key: `${row.kind}/${row.code}`, row }))
  switch (tab) {
    case 'stations':
      return master.stations.map((row) => ({ of: 'station', key: row.code, row }))
    case 'procedures':
      return words((kind) => kind === 'procedure')
    case 'classes':
      return words((kind) => kind === 'exam-class')
    case 'reasons':
      return words((kind) => kind.startsWith('reason-'))
    case 'places':
      return master.places.map((row) => ({ of: 'place', key: `${row.kind}/${row.code}`, row }))
    case 'staff':
      return master.staff.map((row) => ({ of: 'staff', key: row.account, row }))
  }
}

function titleOf(row: Row): string {
  return row.of === 'staff' ? row.row.account : `${row.row.code} · ${nameOf(row.row)}`
}

type Translate = ReturnType<typeof useTranslation>['t']

function columnsOf(tab: Tab, t: Translate, place: ReturnType<typeof usePlaceNames>): Column<Row>[] {
  const column = (id: string, title: string, width: number, cell: (row: Row['row']) => ReactNode): Column<Row> => ({
    id,
    title,
    width,
    cell: (one) => cell(one.row),
  })
  const word = (name: string) => (row: Row['row']) => ('more' in row ? String((row.more as Record<string, unknown>)[name] ?? '') : '')
  const yes = (name: string) => (row: Row['row']) => ('more' in row && (row.more as Record<string, unknown>)[name] ? t('app.yes') : '')
  const code = column('code', t('department.master.code'), 120, (row) => <b>{'code' in row ? row.code : row.account}</b>)
  const zh = column('zh', t('department.master.nameZh'), 170, (row) => row.name_zh)
  const en = column('en', t('department.master.nameEn'), 200, (row) => row.name_en)
  const active = column('active', t('department.state'), 100, (row) =>
    'active' in row ? <Dot how={row.active ? 'good' : 'idle'}>{t(row.active ? 'department.master.active' : 'department.master.off')}</Dot> : '',
  )
  switch (tab) {
    case 'stations':
      return [
        code,
        zh,
        en,
        column('modality', t('department.modality'), 80, (row) => ('modality' in row ? row.modality : '')),
        column('ae', t('department.master.ae'), 120, (row) => ('ae_title' in row ? row.ae_title : '')),
        column('department', t('department.master.department'), 120, (row) => ('department' in row ? place('department', row.department) : '')),
        column('room', t('department.master.room'), 100, (row) => ('room' in row ? place('room', row.room) : '')),
        column('hours', t('department.master.hours'), 400, (row) => ('hours' in row ? hoursWords(row.hours, t) : '')),
        active,
      ]
    case 'procedures':
      return [
        code,
        zh,
        en,
        column('modality', t('department.modality'), 80, word('modality')),
        column('part', t('department.master.part'), 110, word('body_part')),
        column('minutes', t('department.master.minutes'), 70, word('minutes')),
        column('sides', t('department.master.sides'), 70, yes('sides')),
        column('contrast', t('department.master.contrast'), 70, yes('contrast')),
        column('double', t('department.master.double'), 90, yes('double_sign')),
        column('fee', t('department.master.fee'), 80, word('fee')),
        active,
      ]
    case 'classes':
      return [
        code,
        zh,
        en,
        column('needs', t('department.master.needs'), 130, (row) => {
          const need = word('needs')(row)
          return need ? t(need === 'AN' ? 'department.admissionNumber' : 'department.visitNumber') : t('app.none')
        }),
        column('form', t('department.master.form'), 190, (row) => `${'code' in row ? row.code : ''}${word('date')(row)}${'0'.repeat(Math.max(0, Number(word('digits')(row) || 4) - 1))}1`),
        column('identity', t('department.master.identity'), 130, (row) => t(`department.master.policies.${(word('identity')(row) || 'none') as 'none'}`)),
        column('identityExam', t('department.master.identityExam'), 130, (row) => t(`department.master.policies.${(word('identity_exam')(row) || 'none') as 'none'}`)),
        column('safety', t('department.master.safety'), 130, (row) => t(`department.master.safetyPolicies.${word('safety')(row) === 'required' ? 'required' : 'recorded'}`)),
        column('green', t('department.green.title'), 90, yes('green')),
        active,
      ]
    case 'reasons':
      return [
        column('kind', t('department.master.kind'), 130, (row) => ('kind' in row ? t(`department.master.reasonKinds.${row.kind as 'reason-hold'}`) : '')),
        code,
        zh,
        en,
        active,
      ]
    case 'places':
      return [
        column('kind', t('department.master.kind'), 100, (row) => ('kind' in row ? t(`department.master.placeKinds.${row.kind as 'site'}`) : '')),
        code,
        zh,
        en,
        column('site', t('department.master.site'), 110, (row) => ('site' in row ? place('site', row.site) : '')),
        column('department', t('department.master.department'), 130, (row) => ('department' in row ? place('department', row.department) : '')),
        column('prefix', t('department.master.prefix'), 100, word('prefix')),
        active,
      ]
    case 'staff':
      return [
        code,
        zh,
        en,
        column('title', t('department.master.jobTitle'), 120, (row) => ('title' in row ? row.title : '')),
        column('licence', t('department.master.licence'), 140, (row) => ('licence' in row ? row.licence : '')),
        column('department', t('department.master.department'), 130, (row) => ('department' in row ? place('department', row.department) : '')),
        column('single', t('department.master.single'), 110, (row) => ('single_sign' in row && row.single_sign ? t('app.yes') : '')),
      ]
  }
}
