import { Button, Group, MultiSelect, NativeSelect, SegmentedControl, Stack, Tabs, Textarea, TextInput } from '@mantine/core'
import { IconPlus } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useMay } from '../access/session'
import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { Ask } from '../app/Ask'
import { showError } from '../app/errors'
import { moment } from '../app/format'
import type { Column } from '../app/Grid'
import { ListPage } from '../app/ListPage'
import { either, SECTIONS, type SectionName } from './model'

type Template = components['schemas']['TemplateWords']
type Phrase = components['schemas']['PhraseWords']
type Owner = Template['owner']
type Language = 'zh' | 'en'
const OWNERS: Owner[] = ['user', 'department', 'hospital']

/** Templates and phrases: those of the hospital and the department, and one's own. A change is a new revision. */
export default function Templates() {
  const { t } = useTranslation()
  const [kind, setKind] = useState<'phrases' | 'templates'>('phrases')
  const [chosen, choose] = useState<string | null>(null)
  const query = useQuery({ queryKey: ['templates', 'all'], queryFn: () => data(api.GET('/templates', { params: { query: {} } })) })
  const columns = useMemo<Column<Template | Phrase>[]>(
    () => [
      { id: 'code', title: t('templates.code'), width: 150, cell: (row) => row.code },
      ...(kind === 'phrases'
        ? [
            { id: 'abbreviation', title: t('templates.abbreviation'), width: 104, cell: (row: Template | Phrase) => ('abbreviation' in row.content ? row.content.abbreviation : '') },
            { id: 'text', title: t('templates.text'), width: 420, cell: (row: Template | Phrase) => ('abbreviation' in row.content ? either(row.content.text?.zh ?? '', row.content.text?.en ?? '') : '') },
          ]
        : [{ id: 'name', title: t('templates.name'), width: 220, cell: (row: Template | Phrase) => ('name_zh' in row ? either(row.name_zh, row.name_en) : '') }]),
      { id: 'owner', title: t('templates.owner'), width: 110, cell: (row) => t(`templates.owners.${row.owner}`) },
      { id: 'modality', title: t('reporting.modality'), width: 60, cell: (row) => row.modality },
      { id: 'part', title: t('templates.bodyPart'), width: 100, cell: (row) => row.body_part },
      { id: 'changed', title: t('templates.changed'), width: 160, cell: (row) => (row.id ? moment(row.changed_at) : t('templates.builtIn')) },
    ],
    [t, kind],
  )
  const rows: (Template | Phrase)[] = query.data?.[kind] ?? []
  const keyOf = (row: Template | Phrase) => `${row.owner}/${row.code}`
  const row = rows.find((one) => keyOf(one) === chosen)
  const fresh = chosen === 'new'
  return (
    <ListPage
      title={t('templates.title')}
      name={`templates.${kind}`}
      found={query.data && t('stewards.found', { count: rows.length })}
      tools={
        <>
          <SegmentedControl
            aria-label={t('templates.title')}
            value={kind}
            onChange={(value) => {
              choose(null)
              setKind(value as typeof kind)
            }}
            data={(['phrases', 'templates'] as const).map((one) => ({ value: one, label: t(`templates.${one}`) }))}
          />
          <Button variant="default" leftSection={<IconPlus size={14} />} onClick={() => choose('new')}>
            {t('templates.add')}
          </Button>
        </>
      }
      columns={columns}
      rows={rows}
      rowId={keyOf}
      query={query}
      empty={t('templates.none')}
      chosen={chosen}
      choose={choose}
      detailsTitle={fresh ? t('templates.add') : row?.code}
      details={
        kind === 'phrases'
          ? (row || fresh) && <PhraseForm key={chosen} phrase={row as Phrase | undefined} done={() => choose(null)} />
          : (row || fresh) && <TemplateForm key={chosen} template={row as Template | undefined} done={() => choose(null)} />
      }
    />
  )
}

/** What both have: a code, whose it is, for which exams. */
function useShared(one: Template | Phrase | undefined) {
  const { t } = useTranslation()
  const may = useMay()
  const [code, setCode] = useState(one?.code ?? '')
  const [owner, setOwner] = useState<Owner>(one && may('templates') ? one.owner : 'user')
  const [modality, setModality] = useState(one?.modality ?? '')
  const [bodyPart, setBodyPart] = useState(one?.body_part ?? '')
  const fields = (
    <>
      <TextInput label={t('templates.code')} value={code} disabled={one !== undefined} maxLength={32} onChange={(event) => setCode(event.currentTarget.value.replace(/[^0-9A-Za-z._-]/g, ''))} />
      <NativeSelect
        label={t('templates.owner')}
        value={owner}
        onChange={(event) => setOwner(event.currentTarget.value as Owner)}
        data={OWNERS.filter((each) => each === 'user' || may('templates')).map((each) => ({ value: each, label: t(`templates.owners.${each}`) }))}
      />
      <Group grow>
        <TextInput label={t('templates.modality')} value={modality} maxLength={16} onChange={(event) => setModality(event.currentTarget.value.toUpperCase())} />
        <TextInput label={t('templates.bodyPart')} value={bodyPart} maxLength={16} onChange={(event) => setBodyPart(event.currentTarget.value.toUpperCase())} />
      </Group>
    </>
  )
  return { code, owner, fields, values: { owner, modality: modality.trim(), body_part: bodyPart.trim() } }
}

function useKeeping(done: () => void) {
  const client = useQueryClient()
  const [busy, setBusy] = useState(false)
  const run = async (work: () => Promise<unknown>) => {
    setBusy(true)
    try {
      await work()
      void client.invalidateQueries({ queryKey: ['templates'] })
      done()
    } catch (error) {
      showError(error)
    } finally {
      setBusy(false)
    }
  }
  return { busy, run }
}

function Foot({ busy, ready, save, remove }: { busy: boolean; ready: boolean; save: () => void; remove?: () => Promise<unknown> }) {
  const { t } = useTranslation()
  const [asking, setAsking] = useState(false)
  return (
    <Group justify="space-between">
      <Button loading={busy} disabled={!ready} onClick={save}>
        {t('templates.keep')}
      </Button>
      {remove && (
        <Button variant="subtle" color="red" onClick={() => setAsking(true)}>
          {t('templates.remove')}
        </Button>
      )}
      {asking && remove && <Ask title={t('templates.remove')} text={t('templates.removeHelp')} word={t('templates.remove')} grave reason="none" close={() => setAsking(false)} act={remove} />}
    </Group>
  )
}

function PhraseForm({ phrase, done }: { phrase: Phrase | undefined; done: () => void }) {
  const { t } = useTranslation()
  const { code, owner, fields, values } = useShared(phrase)
  const [abbreviation, setAbbreviation] = useState(phrase?.content.abbreviation ?? '')
  const [section, setSection] = useState(phrase?.content.section ?? '')
  const [text, setText] = useState<Partial<Record<Language, string>>>(phrase?.content.text ?? {})
  const { busy, run } = useKeeping(done)
  return (
    <Stack gap="xs">
      {fields}
      <Group grow>
        <TextInput label={t('templates.abbreviation')} value={abbreviation} maxLength={16} onChange={(event) => setAbbreviation(event.currentTarget.value.replace(/\s/g, ''))} />
        <NativeSelect
          label={t('templates.section')}
          value={section}
          onChange={(event) => setSection(event.currentTarget.value as typeof section)}
          data={[{ value: '', label: t('templates.anySection') }, ...SECTIONS.map((one) => ({ value: one, label: t(`reporting.sections.${one}`) }))]}
        />
      </Group>
      <Textarea label="中文" lang="zh-CN" autosize minRows={3} maxLength={4000} value={text.zh ?? ''} onChange={(event) => setText({ ...text, zh: event.currentTarget.value })} />
      <Textarea label="English" lang="en" autosize minRows={3} maxLength={4000} value={text.en ?? ''} onChange={(event) => setText({ ...text, en: event.currentTarget.value })} />
      <Foot
        busy={busy}
        ready={Boolean(code && abbreviation && (text.zh || text.en))}
        save={() => void run(() => api.PUT('/phrases/{code}', { params: { path: { code } }, body: { ...values, content: { abbreviation, section, text } } }))}
        remove={phrase?.id ? async () => run(() => api.DELETE('/phrases/{code}', { params: { path: { code }, query: { owner } } })) : undefined}
      />
    </Stack>
  )
}

function TemplateForm({ template, done }: { template: Template | undefined; done: () => void }) {
  const { t } = useTranslation()
  const { code, owner, fields, values } = useShared(template)
  const [zh, setZh] = useState(template?.name_zh ?? '')
  const [en, setEn] = useState(template?.name_en ?? '')
  const [required, setRequired] = useState<string[]>(template?.content.required ?? ['findings', 'impression'])
  const [text, setText] = useState<Partial<Record<Language, Partial<Record<SectionName, string>>>>>(template?.content.text ?? {})
  const { busy, run } = useKeeping(done)
  return (
    <Stack gap="xs">
      {fields}
      <Group grow>
        <TextInput label={t('templates.nameZh')} value={zh} maxLength={100} onChange={(event) => setZh(event.currentTarget.value)} />
        <TextInput label={t('templates.nameEn')} value={en} maxLength={100} onChange={(event) => setEn(event.currentTarget.value)} />
      </Group>
      <MultiSelect label={t('templates.required')} value={required} onChange={setRequired} data={SECTIONS.map((one) => ({ value: one, label: t(`reporting.sections.${one}`) }))} />
      <Tabs defaultValue="zh">
        <Tabs.List>
          <Tabs.Tab value="zh">中文</Tabs.Tab>
          <Tabs.Tab value="en">English</Tabs.Tab>
        </Tabs.List>
        {(['zh', 'en'] as const).map((language) => (
          <Tabs.Panel key={language} value={language} pt="xs">
            {SECTIONS.map((section) => (
              <Textarea
                key={section}
                label={t(`reporting.sections.${section}`)}
                lang={language === 'zh' ? 'zh-CN' : 'en'}
                autosize
                minRows={1}
                maxLength={20_000}
                mb="xs"
                value={text[language]?.[section] ?? ''}
                onChange={(event) => setText({ ...text, [language]: { ...text[language], [section]: event.currentTarget.value } })}
              />
            ))}
          </Tabs.Panel>
        ))}
      </Tabs>
      <Foot
        busy={busy}
        ready={Boolean(code && (zh.trim() || en.trim()))}
        save={() =>
          void run(() =>
            api.PUT('/templates/{code}', {
              params: { path: { code } },
              body: { ...values, name_zh: zh, name_en: en, content: { required: required as SectionName[], text: whole(text), fields: template?.content.fields ?? [] } },
            }),
          )
        }
        remove={template?.id ? async () => run(() => api.DELETE('/templates/{code}', { params: { path: { code }, query: { owner } } })) : undefined}
      />
    </Stack>
  )
}

/** Every section of the languages that have any text. */
function whole(text: Partial<Record<Language, Partial<Record<SectionName, string>>>>) {
  const filled = Object.entries(text).filter(([, sections]) => Object.values(sections ?? {}).some(Boolean))
  return Object.fromEntries(filled.map(([language, sections]) => [language, Object.fromEntries(SECTIONS.map((one) => [one, sections?.[one] ?? '']))])) as Record<string, Record<SectionName, string>>
}
