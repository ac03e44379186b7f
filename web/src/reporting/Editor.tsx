import { ActionIcon, Alert, Button, Group, Menu, NativeSelect, SegmentedControl, Textarea, Tooltip } from '@mantine/core'
import { IconCamera, IconRuler2, IconTemplate, IconTextPlus } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useEffect, useRef, type KeyboardEvent } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { showError } from '../app/errors'
import { moment } from '../app/format'
import { useShortcuts } from '../app/shortcuts'
import { bridge } from '../viewing/bridge'
import type { Editing } from './editing'
import { Fields } from './Fields'
import { measuredIn, type Line } from './measured'
import { either, SECTIONS, type Content, type Report, type SectionName } from './model'
import { Links, Pictures } from './Pictures'
import classes from './Workplace.module.css'

type Phrase = components['schemas']['PhraseWords']
const RESULTS = ['negative', 'positive', 'indeterminate', 'not-applicable'] as const
const ROWS: Record<SectionName, number> = { technique: 1, comparison: 1, findings: 7, impression: 4, advice: 1 }

interface Props {
  report: Report
  editing: Editing
  reload: () => void
}

/** Where a report is written. */
export function Editor({ report, editing, reload }: Props) {
  const { t } = useTranslation()
  const { content, put } = editing
  const boxes = useRef<Partial<Record<SectionName, HTMLTextAreaElement | null>>>({})
  const last = useRef<SectionName>('findings')
  const exam = report.exams[0]!
  const language = report.language
  const offered = useQuery({
    queryKey: ['templates', exam.id],
    queryFn: () => data(api.GET('/templates', { params: { query: { exam: exam.id } } })),
    staleTime: 60_000,
  })
  const phrases = offered.data?.phrases ?? []
  const required = new Set<string>(report.form?.content.required ?? ['findings', 'impression'])

  const addPicture = (shown: components['schemas']['ReportImage']) => {
    if (content.images.some((one) => one.sop_uid === shown.sop_uid && one.frame === shown.frame)) return
    put({ images: [...content.images, { ...shown, caption: '' }].slice(0, 24) })
  }
  useEffect(() => bridge.takes((shown) => addPicture({ ...shown, caption: '' })))
  const picture = async () => {
    const shown = await bridge.current()
    if (shown) addPicture({ ...shown, caption: '' })
    else showError(new Error(t('reporting.noViewer')))
  }

  /** Puts text where the caret is, or was. */
  const insert = (text: string, into: SectionName = last.current) => {
    const box = boxes.current[into]
    const whole = content[into]
    const at = box && document.activeElement === box ? box.selectionStart : (box?.selectionStart ?? whole.length)
    const before = whole.slice(0, at)
    const gap = before && !/\s$/.test(before) ? ' ' : ''
    put({ [into]: before + gap + text + whole.slice(box?.selectionEnd ?? at) })
    const caret = at + gap.length + text.length
    requestAnimationFrame(() => {
      box?.focus()
      box?.setSelectionRange(caret, caret)
    })
  }
  const insertMeasured = (line: Line) => {
    const place = bridge.locate(line.sop)
    const link = place && { ...place, frame: line.frame, text: line.text, annotation: line.id }
    const links = link ? [...content.links.filter((one) => one.annotation !== line.id), link].slice(0, 200) : content.links
    insert(line.text)
    // after the text: one change of both
    put({ links })
  }

  /** An abbreviation before the caret becomes its phrase. */
  const expand = (section: SectionName) => (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key !== 'Tab' || event.shiftKey || event.altKey || event.ctrlKey) return
    const box = event.currentTarget
    if (box.selectionStart !== box.selectionEnd) return
    const word = /[^\s,.;，。；、]+$/.exec(box.value.slice(0, box.selectionStart))?.[0]
    const found = word && phraseFor(phrases, word, section)
    if (!found) return
    event.preventDefault()
    const text = textOf(found, language)
    const begin = box.selectionStart - word.length
    put({ [section]: box.value.slice(0, begin) + text + box.value.slice(box.selectionStart) })
    requestAnimationFrame(() => box.setSelectionRange(begin + text.length, begin + text.length))
  }

  const style = async (part: { template?: string; language?: 'zh' | 'en' }) => {
    try {
      const changes = await editing.settle()
      const answer = await data(api.PUT('/reports/{report}/style', { params: { path: { report: report.id } }, body: { changes, ...part } }))
      editing.seen(answer.changes)
      const chosen = offered.data?.templates.find((one) => one.key === (part.template ?? report.template))
      if (part.template && chosen) put(filledIn(content, chosen, part.language ?? language))
      reload()
    } catch (error) {
      showError(error)
    }
  }

  useShortcuts(t('reporting.report'), [
    { keys: 'alt+p', words: t('reporting.takePicture'), run: () => void picture(), inText: true },
    ...SECTIONS.map((section, at) => ({
      keys: `alt+${at + 1}`,
      words: t(`reporting.sections.${section}`),
      run: () => boxes.current[section]?.focus(),
      inText: true,
    })),
  ])

  return (
    <>
      {editing.stale && (
        <Alert color="orange" variant="light" p="xs" mb="xs" role="alert" title={t('reporting.staleTitle')}>
          {t('reporting.staleText', { name: editing.stale.by, time: moment(editing.stale.at) })}
          <Group gap="xs" mt="xs">
            <Button size="compact-xs" variant="light" onClick={() => editing.take('theirs')}>
              {t('reporting.takeTheirs')}
            </Button>
            <Button size="compact-xs" variant="light" color="orange" onClick={() => editing.take('mine')}>
              {t('reporting.takeMine')}
            </Button>
          </Group>
        </Alert>
      )}
      <Group gap="xs" mb="xs" wrap="nowrap">
        <NativeSelect
          style={{ flex: 1 }}
          aria-label={t('reporting.template')}
          leftSection={<IconTemplate size={14} />}
          value={report.template}
          onChange={(event) => void style({ template: event.currentTarget.value })}
          data={[
            { value: '', label: t('reporting.noTemplate') },
            ...(offered.data?.templates ?? (report.form ? [report.form] : [])).map((one) => ({ value: one.key, label: either(one.name_zh, one.name_en) })),
          ]}
        />
        <SegmentedControl
          aria-label={t('reporting.language')}
          value={language}
          onChange={(value) => void style({ language: value as 'zh' | 'en' })}
          data={[
            { value: 'zh', label: '中文' },
            { value: 'en', label: 'EN' },
          ]}
        />
        <PhraseMenu phrases={phrases} language={language} insert={(phrase) => insert(textOf(phrase, language), phrase.content.section || last.current)} />
        <MeasuredMenu report={report} insert={insertMeasured} />
        <Tooltip label={`${t('reporting.takePicture')} (Alt+P)`}>
          <ActionIcon variant="default" size="input-xs" aria-label={t('reporting.takePicture')} onClick={() => void picture()}>
            <IconCamera size={15} />
          </ActionIcon>
        </Tooltip>
      </Group>
      {SECTIONS.map((section) => (
        <div key={section} className={classes.section}>
          <label className={classes.label} htmlFor={`section-${section}`}>
            {t(`reporting.sections.${section}`)}
            {required.has(section) && !content[section].trim() ? ` · ${t('reporting.required')}` : ''}
          </label>
          <Textarea
            id={`section-${section}`}
            ref={(box) => {
              boxes.current[section] = box
            }}
            autosize
            minRows={ROWS[section]}
            maxRows={30}
            maxLength={20_000}
            lang={language === 'zh' ? 'zh-CN' : 'en'}
            spellCheck={language === 'en'}
            styles={{ input: { fontSize: '0.875rem', lineHeight: 1.55 } }}
            value={content[section]}
            onFocus={() => (last.current = section)}
            onKeyDown={expand(section)}
            onChange={(event) => put({ [section]: event.currentTarget.value })}
          />
        </div>
      ))}
      <Fields form={report.form} values={content.fields} set={(fields) => put({ fields })} language={language} />
      <div className={classes.section}>
        <div className={classes.label}>{t('reporting.result')}</div>
        <SegmentedControl
          aria-label={t('reporting.result')}
          value={content.result}
          onChange={(value) => put({ result: value as Content['result'] })}
          data={RESULTS.map((one) => ({ value: one, label: t(`reporting.results.${one}`) }))}
        />
      </div>
      <Links links={content.links} remove={(at) => put({ links: content.links.filter((_, index) => index !== at) })} />
      <Pictures
        images={content.images}
        set={(images) => put({ images })}
        empty={
          <Button size="compact-xs" variant="default" leftSection={<IconCamera size={13} />} onClick={() => void picture()}>
            {t('reporting.takePicture')}
          </Button>
        }
      />
    </>
  )
}

function textOf(phrase: Phrase, language: string): string {
  const { zh = '', en = '' } = phrase.content.text as { zh?: string; en?: string }
  return language === 'zh' ? zh || en : en || zh
}

function phraseFor(phrases: Phrase[], word: string, section: SectionName): Phrase | undefined {
  const named = phrases.filter((one) => one.content.abbreviation.toLowerCase() === word.toLowerCase())
  return named.find((one) => one.content.section === section) ?? named.find((one) => !one.content.section) ?? named[0]
}

/** Text of a template for what is empty; what is written stays. */
function filledIn(content: Content, chosen: components['schemas']['TemplateWords'], language: 'zh' | 'en'): Partial<Content> {
  const texts = (chosen.content.text as Record<string, Partial<Record<SectionName, string>>>)[language] ?? {}
  return Object.fromEntries(SECTIONS.filter((section) => !content[section].trim() && texts[section]).map((section) => [section, texts[section]]))
}

function PhraseMenu({ phrases, language, insert }: { phrases: Phrase[]; language: string; insert: (phrase: Phrase) => void }) {
  const { t } = useTranslation()
  return (
    <Menu width={380} position="bottom-end" shadow="md">
      <Menu.Target>
        <Tooltip label={t('reporting.phrases')}>
          <ActionIcon variant="default" size="input-xs" aria-label={t('reporting.phrases')}>
            <IconTextPlus size={15} />
          </ActionIcon>
        </Tooltip>
      </Menu.Target>
      <Menu.Dropdown mah={420} style={{ overflow: 'auto' }}>
        <Menu.Label>{t(phrases.length ? 'reporting.phrasesHelp' : 'reporting.noPhrases')}</Menu.Label>
        {phrases.map((one) => (
          <Menu.Item key={one.owner + one.code} onClick={() => insert(one)} rightSection={<code>{one.content.abbreviation}</code>}>
            {textOf(one, language)}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}

function MeasuredMenu({ report, insert }: { report: Report; insert: (line: Line) => void }) {
  const { t } = useTranslation()
  const studies = [...new Set(report.exams.flatMap((one) => one.study_uids))].slice(0, 4)
  const { row } = report.exams[0]!
  const query = useQuery({ queryKey: ['measured', studies, row], queryFn: () => measuredIn(studies, row, t), enabled: false })
  const lines = query.data ?? []
  return (
    <Menu width={340} position="bottom-end" shadow="md" onOpen={() => void query.refetch()}>
      <Menu.Target>
        <Tooltip label={t('reporting.measured')}>
          <ActionIcon variant="default" size="input-xs" aria-label={t('reporting.measured')}>
            <IconRuler2 size={15} />
          </ActionIcon>
        </Tooltip>
      </Menu.Target>
      <Menu.Dropdown mah={420} style={{ overflow: 'auto' }}>
        <Menu.Label>{t(lines.length || query.isFetching ? 'reporting.measuredHelp' : 'reporting.noMeasured')}</Menu.Label>
        {lines.map((one) => (
          <Menu.Item key={one.id} onClick={() => insert(one)}>
            {one.text}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}
