/** What is asked before an exam so that nobody comes to harm: the answers, what they stop, and who answers for going on. */
import { Badge, Button, Group, SegmentedControl, Stack, Text, Textarea } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useMay } from '../access/session'
import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { Ask } from '../app/Ask'
import { moment } from '../app/format'
import { Dim, Item, Section } from '../app/ListPage'
import classes from './Safety.module.css'
import { useMaster, usePeople, wordsOfKind, type Exam } from './model'

type Asked = components['schemas']['SafetyWords']
type Answer = 'no' | 'yes' | 'unknown'
type Code = 'pregnancy' | 'pacemaker' | 'metal' | 'claustrophobia' | 'allergy' | 'kidneys' | 'thyroid' | 'metformin' | 'prepared'

/** Until it is made. */
const OPEN = ['E00', 'E05', 'E10', 'E20', 'E30', 'E40']
const TONES = { stop: 'red', caution: 'yellow', clear: 'gray', accepted: 'orange' } as const

function useSafety(exam: number) {
  return useQuery({
    queryKey: ['safety', exam],
    queryFn: () => data(api.GET('/exams/{exam}/safety', { params: { path: { exam } } })),
    refetchOnMount: 'always',
  })
}

/** How it stands, in a word; nothing where nobody has asked. */
export function SafetyBadge({ exam }: { exam: Exam }) {
  const { t } = useTranslation()
  if (exam.safety === '') return null
  return (
    <Badge size="xs" radius="xs" variant={exam.safety === 'stop' ? 'filled' : 'light'} color={TONES[exam.safety]}>
      {t(`safety.states.${exam.safety}`)}
    </Badge>
  )
}

/** Of an exam's page. Nothing where nothing is asked before such an exam. */
export function Safety({ exam, changed }: { exam: Exam; changed: () => void }) {
  const { t } = useTranslation()
  const may = useMay()
  const called = usePeople()
  const client = useQueryClient()
  const [asking, setAsking] = useState<'ask' | 'accept' | null>(null)
  const query = useSafety(exam.id)
  const page = query.data
  if (!page || page.questions.length === 0) return null
  const open = OPEN.includes(exam.state)
  const said = page.questions.filter((one) => one.answer !== '')
  if (!open && said.length === 0) return null
  const done = () => {
    void client.invalidateQueries({ queryKey: ['safety', exam.id] })
    changed()
  }
  const against = page.questions.filter((one) => one.speaks)
  const unasked = page.questions.filter((one) => one.answer === '')
  return (
    <Section
      title={t('safety.title')}
      action={
        open &&
        may('queue') && (
          <Button size="compact-xs" variant="subtle" onClick={() => setAsking('ask')}>
            {t(page.at ? 'safety.askAgain' : 'safety.ask')}
          </Button>
        )
      }
    >
      {against.map((one) => (
        <Item key={one.code}>
          <span className={!one.stops ? classes.caution : page.accepted.includes(one.code) ? undefined : classes.stop}>
            {t('safety.said', { what: t(`safety.short.${one.code as Code}`), answer: t(`safety.answers.${one.answer as Answer}`) })}
          </span>
          {page.stopping.includes(one.code) && <Dim>{t('safety.stops')}</Dim>}
        </Item>
      ))}
      {against.length === 0 && unasked.length === 0 && <Dim>{t('safety.clear')}</Dim>}
      {unasked.length > 0 && (
        <Dim>{page.at ? t('safety.missing', { what: unasked.map((one) => t(`safety.short.${one.code as Code}`)).join(t('safety.and')) }) : t('safety.notAsked')}</Dim>
      )}
      {page.note && <Item>{page.note}</Item>}
      {page.accepted_reason && (
        <Item>
          {t('safety.accepted', { reason: page.accepted_reason })}
          <Dim>{t('safety.by', { at: moment(page.accepted_at), name: called(page.accepted_by) })}</Dim>
        </Item>
      )}
      {page.at && <Dim>{t('safety.by', { at: moment(page.at), name: called(page.by) })}</Dim>}
      {open && page.stopping.length > 0 && (may('perform') || may('review')) && (
        <Group mt={6}>
          <Button size="compact-xs" color="red" variant="light" onClick={() => setAsking('accept')}>
            {t('safety.accept')}
          </Button>
        </Group>
      )}
      {asking === 'ask' && <Questions exam={exam} page={page} close={() => setAsking(null)} done={done} />}
      {asking === 'accept' && <Accept exam={exam} page={page} close={() => setAsking(null)} done={done} />}
    </Section>
  )
}

/** The questions of an exam in a list: read when they are asked. */
export function AskSafety({ exam, close, done }: { exam: Exam; close: () => void; done: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const query = useSafety(exam.id)
  // not what was known of it before
  if (!query.data || !query.isFetchedAfterMount) return null
  const over = () => {
    void client.invalidateQueries({ queryKey: ['safety', exam.id] })
    done()
  }
  if (query.data.questions.length === 0) {
    return <Ask title={t('safety.askTitle')} text={t('safety.none')} word={t('app.actions.close')} reason="none" close={close} act={async () => undefined} />
  }
  return <Questions exam={exam} page={query.data} close={close} done={over} />
}

interface Props {
  exam: Exam
  page: Asked
  close: () => void
  done: () => void
}

function Questions({ exam, page: now, close, done }: Props) {
  const { t, i18n } = useTranslation()
  const words = wordsOfKind(useMaster().data, 'procedure').find((one) => one.code === exam.procedure)?.more
  const preparation = String(words?.[i18n.language === 'zh' ? 'preparation_zh' : 'preparation_en'] ?? '')
  // as it was when the window opened
  const [page] = useState(now)
  const [answers, setAnswers] = useState<Record<string, Answer>>(Object.fromEntries(page.questions.filter((one) => one.answer).map((one) => [one.code, one.answer as Answer])))
  const [note, setNote] = useState(page.note)
  return (
    <Ask
      title={t('safety.askTitle')}
      text={t('safety.askText')}
      word={t('app.actions.save')}
      reason="none"
      ready={page.questions.every((one) => answers[one.code])}
      close={close}
      act={async () => {
        await data(api.POST('/exams/{exam}/safety', { params: { path: { exam: exam.id } }, body: { answers, note: note.trim(), seen: page.changes } }))
        notifications.show({ message: t('safety.kept'), autoClose: 3_000 })
        done()
      }}
    >
      <Stack gap={6}>
        {page.questions.map((one, at) => (
          <div key={one.code} className={classes.question}>
            <Text size="sm">
              {t(`safety.questions.${one.code as Code}`)}
              {one.code === 'prepared' && preparation && (
                <Text span size="sm" c="dimmed">
                  {' '}
                  {preparation}
                </Text>
              )}
            </Text>
            <SegmentedControl
              className={classes.answers}
              aria-label={t(`safety.questions.${one.code as Code}`)}
              data={(['no', 'yes', 'unknown'] as const).map((answer) => ({ value: answer as string, label: t(`safety.answers.${answer}`) }))}
              value={answers[one.code] ?? ''}
              data-autofocus={at === 0 || undefined}
              onChange={(answer) => setAnswers({ ...answers, [one.code]: answer as Answer })}
            />
          </div>
        ))}
      </Stack>
      <Textarea
        label={t('safety.note')}
        placeholder={t('safety.noteHelp')}
        autosize
        minRows={1}
        maxLength={400}
        value={note}
        onChange={(event) => setNote(event.currentTarget.value.replace(/[\r\n]+/g, ' '))}
      />
    </Ask>
  )
}

function Accept({ exam, page, close, done }: Props) {
  const { t } = useTranslation()
  const what = page.stopping.map((one) => t(`safety.short.${one as Code}`)).join(', ')
  return (
    <Ask
      title={t('safety.acceptTitle')}
      text={t('safety.acceptText', { what })}
      word={t('safety.accept')}
      grave
      close={close}
      act={async (reason) => {
        await data(api.POST('/exams/{exam}/safety/accept', { params: { path: { exam: exam.id } }, body: { reason, seen: page.changes } }))
        done()
      }}
    />
  )
}
