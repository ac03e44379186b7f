import { Select, SimpleGrid, Switch, TextInput } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api } from '../../api/client'
import { Ask } from '../../app/Ask'
import { nameOf, useMaster, type Master } from '../model'

type Hours = Record<string, string[][]>
type Translate = ReturnType<typeof useTranslation>['t']
const DAYS = ['0', '1', '2', '3', '4', '5', '6'] as const

/** "08:00-12:00 13:30-17:30" */
function spanWords(spans: string[][] | undefined): string {
  return (spans ?? []).map(([from, to]) => `${from}-${to}`).join(' ')
}

/** Days one after another with the same hours in one. */
export function hoursWords(hours: Hours, t: Translate): string {
  if (Object.keys(hours).length === 0) return t('department.master.always')
  const runs: { days: string[]; words: string }[] = []
  for (const day of DAYS) {
    const words = spanWords(hours[day])
    const last = runs.at(-1)
    if (last?.words === words) last.days.push(t(`department.master.days.${day}`))
    else runs.push({ days: [t(`department.master.days.${day}`)], words })
  }
  return runs
    .filter((run) => run.words)
    .map((run) => `${run.days.length > 1 ? `${run.days[0]}–${run.days.at(-1)}` : run.days[0]} ${run.words}`)
    .join('; ')
}

/** null: not to be understood. */
function spansOf(text: string): string[][] | null {
  const parts = text.trim().split(/[\s,;]+/).filter(Boolean)
  const found = parts.map((part) => /^(\d{1,2}):(\d{2})[-–](\d{1,2}):(\d{2})$/.exec(part))
  if (found.some((one) => one === null)) return null
  return found.map((one) => [`${one![1]!.padStart(2, '0')}:${one![2]}`, `${one![3]!.padStart(2, '0')}:${one![4]}`])
}

interface Props {
  station: Master['stations'][number] | null
  close: () => void
  done: () => void
}

export function StationForm({ station, close, done }: Props) {
  const { t } = useTranslation()
  const master = useMaster()
  const [code, setCode] = useState(station?.code ?? '')
  const [fields, setFields] = useState({
    name_zh: station?.name_zh ?? '',
    name_en: station?.name_en ?? '',
    ae_title: station?.ae_title ?? '',
    modality: station?.modality ?? '',
    room: station?.room ?? '',
    department: station?.department ?? '',
    site: station?.site ?? '',
    active: station?.active ?? true,
  })
  const [abilities, setAbilities] = useState<Record<string, unknown>>(station?.abilities ?? { worklist: true, mpps: true })
  const [hours, setHours] = useState<Record<string, string>>(() => Object.fromEntries(DAYS.map((day) => [day, spanWords(station?.hours[day])])))
  const set = (part: Partial<typeof fields>) => setFields((before) => ({ ...before, ...part }))
  const spans = DAYS.map((day) => [day, spansOf(hours[day] ?? '')] as const)
  const wrong = spans.some(([, one]) => one === null)
  const places = (kind: string) => (master.data?.places ?? []).filter((one) => one.kind === kind).map((one) => ({ value: one.code, label: nameOf(one, one.code) }))
  const text = (name: 'name_zh' | 'name_en' | 'ae_title' | 'modality', label: string, most: number) => (
    <TextInput label={label} maxLength={most} value={fields[name]} onChange={(event) => set({ [name]: event.currentTarget.value })} />
  )
  const place = (name: 'room' | 'department' | 'site') => (
    <Select label={t(`department.master.${name}`)} data={places(name)} value={fields[name] || null} onChange={(value) => set({ [name]: value ?? '' })} clearable searchable />
  )
  return (
    <Ask
      title={station ? station.code : t('department.master.newStation')}
      word={t('app.actions.save')}
      size="lg"
      reason="wanted"
      ready={Boolean(code.trim() && fields.modality.trim() && (fields.name_zh || fields.name_en)) && !wrong}
      close={close}
      act={async (reason) => {
        const kept = Object.fromEntries(spans.filter(([, one]) => one && one.length > 0)) as Hours
        await api.PUT('/master/stations/{code}', {
          params: { path: { code: code.trim() } },
          body: { ...fields, modality: fields.modality.trim().toUpperCase(), ae_title: fields.ae_title.trim(), hours: kept, abilities, reason },
        })
        done()
      }}
    >
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <TextInput label={t('department.master.code')} maxLength={16} disabled={station !== null} value={code} onChange={(event) => setCode(event.currentTarget.value)} data-autofocus />
        {text('modality', t('department.modality'), 16)}
        {text('name_zh', t('department.master.nameZh'), 100)}
        {text('name_en', t('department.master.nameEn'), 100)}
        {text('ae_title', t('department.master.ae'), 16)}
        {place('room')}
        {place('department')}
        {place('site')}
      </SimpleGrid>
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        {DAYS.map((day) => (
          <TextInput
            key={day}
            label={`${t('department.master.hours')} · ${t(`department.master.days.${day}`)}`}
            placeholder="08:00-12:00 13:30-17:30"
            maxLength={100}
            value={hours[day]}
            error={spansOf(hours[day] ?? '') === null ? t('department.master.hoursWrong') : undefined}
            onChange={(event) => setHours({ ...hours, [day]: event.currentTarget.value })}
          />
        ))}
      </SimpleGrid>
      <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
        {(['worklist', 'mpps', 'auto_finish'] as const).map((name) => (
          <Switch key={name} label={t(`department.master.${name}`)} checked={Boolean(abilities[name])} onChange={(event) => setAbilities({ ...abilities, [name]: event.currentTarget.checked })} />
        ))}
        <Select
          label={t('department.master.worklistShows')}
          data={(['asked', 'modality', 'own'] as const).map((one) => ({ value: one, label: t(`department.master.shows.${one}`) }))}
          value={String(abilities.worklist_shows ?? 'asked')}
          allowDeselect={false}
          onChange={(value) => setAbilities({ ...abilities, worklist_shows: value })}
        />
        <Switch label={t('department.master.inUse')} checked={fields.active} onChange={(event) => set({ active: event.currentTarget.checked })} />
      </SimpleGrid>
    </Ask>
  )
}
