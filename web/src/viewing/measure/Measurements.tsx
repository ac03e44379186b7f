import { ActionIcon, Button, Checkbox, Loader, Text, TextInput, Tooltip, UnstyledButton } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { IconChevronLeft, IconChevronRight, IconPencil, IconRuler, IconTrash } from '@tabler/icons-react'
import { useMediaQuery } from '@mantine/hooks'
import { useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { useTranslation } from 'react-i18next'

import { useMay } from '../../access/session'
import { ErrorNote, showError } from '../../app/errors'
import { usePreference } from '../../app/preferences'
import type { Stack } from '../engine/series'
import type { Viewing } from '../model'
import { Drawing, type State } from './drawing'
import classes from './Measurements.module.css'
import type { Annotation, Measured } from './shapes'

interface Props {
  viewing: Viewing
  study: string
  stacks: Stack[]
}

/** What is measured in the study: one's own, kept by itself, and what reports say. */
export function Measurements({ viewing, study, stacks }: Props) {
  const { t } = useTranslation()
  const [drawing] = useState(() => new Drawing(study))
  const state = useSyncExternalStore(drawing.subscribe, drawing.get)
  const wide = useMediaQuery('(min-width: 62em)', true, { getInitialValueInEffect: false })
  const [kept, keep] = usePreference('viewing.measurements', true)
  // on a narrow screen it lies over the image: there only for as long as it is asked for
  const [over, setOver] = useState(false)
  const [open, setOpen] = wide ? [kept, keep] : [over, setOver]

  useEffect(() => drawing.start(), [drawing])
  const images = stacks.flatMap((one) => one.imageIds)
  const known = images.length
  // a series more is known: what was drawn on it can be shown
  useEffect(() => drawing.know(images), [drawing, known])

  const go = (one: { sop: string; frame: number }) => {
    const id = drawing.imageOf(one)
    const stack = stacks.find((each) => id !== undefined && each.imageIds.includes(id))
    if (id && stack) void show(viewing, stack, stack.imageIds.indexOf(id) + 1)
  }

  if (!open) {
    return (
      <aside className={classes.rail} aria-label={t('measuring.title')}>
        <Tooltip label={t('measuring.show')} position="left">
          <ActionIcon variant="subtle" color="gray" aria-label={t('measuring.show')} onClick={() => setOpen(true)}>
            <IconChevronLeft size={16} />
          </ActionIcon>
        </Tooltip>
        <IconRuler size={16} stroke={1.6} aria-hidden />
        <Text size="xs">{state.own.length + state.measured.length || ''}</Text>
        {state.status === 'waiting' && <span className={classes.alarm} role="status" aria-label={t('measuring.status.waiting')} />}
      </aside>
    )
  }
  return (
    <aside className={classes.panel} aria-label={t('measuring.title')}>
      <header className={classes.head}>
        <Text size="sm" fw={600} component="h2" m={0}>
          {t('measuring.title')}
        </Text>
        <Keeping state={state} again={drawing.keepNow} />
        <ActionIcon variant="subtle" color="gray" aria-label={t('measuring.hide')} onClick={() => setOpen(false)}>
          <IconChevronRight size={16} />
        </ActionIcon>
      </header>
      <div className={classes.list}>
        {state.failed !== null && <ErrorNote error={state.failed} again={() => void drawing.read()} />}
        {state.status !== 'opening' && !state.own.length && !state.measured.length && state.failed === null && (
          <Text size="xs" c="dimmed" p="xs">
            {t('measuring.none')}
          </Text>
        )}
        {state.previous.length > 0 && (
          <Text size="xs" c="dimmed" px={4}>
            {t('measuring.revising')}
          </Text>
        )}
        {state.own.map((one) => (
          <Entry key={one.id} one={one} drawing={drawing} go={() => go(one)} number={numberOf(drawing, stacks, one)} />
        ))}
        {groups(state).map(([report, those]) => (
          <section key={report} className={classes.report} data-testid="report">
            <div className={classes.said}>
              <Text size="xs" c="dimmed" truncate>
                {[those[0]!.own ? t('measuring.own') : name(those[0]!.by), those[0]!.at.replace('T', ' ').slice(0, 16)].filter(Boolean).join(' · ')}
              </Text>
              {those[0]!.own && (
                <Button size="compact-xs" variant="subtle" onClick={() => drawing.revise(report)}>
                  {t('measuring.revise')}
                </Button>
              )}
            </div>
            {those.map((one) => (
              <Entry key={one.id} one={one} go={() => go(one)} number={numberOf(drawing, stacks, one)} />
            ))}
          </section>
        ))}
        {state.leftOut > 0 && (
          <Text size="xs" c="orange" px={4}>
            {t('measuring.leftOut', { count: state.leftOut })}
          </Text>
        )}
      </div>
      <Save drawing={drawing} state={state} />
    </aside>
  )
}

function Keeping({ state, again }: { state: State; again: () => void }) {
  const { t } = useTranslation()
  return (
    <span className={classes.status} role="status" data-status={state.status}>
      {(state.status === 'saving' || state.status === 'opening') && state.failed === null && <Loader size={10} />}
      <Text size="xs" c={state.status === 'waiting' ? 'orange' : 'dimmed'} component="span">
        {state.failed === null && state.status !== 'empty' ? t(`measuring.status.${state.status}`) : ''}
      </Text>
      {state.status === 'waiting' && (
        <Button size="compact-xs" variant="light" color="orange" onClick={again}>
          {t('measuring.tryNow')}
        </Button>
      )}
    </span>
  )
}

function Save({ drawing, state }: { drawing: Drawing; state: State }) {
  const { t } = useTranslation()
  const may = useMay()
  const [busy, setBusy] = useState(false)
  const [keyImages, setKeyImages] = useState(true)
  // the same until it has succeeded: what was stored in a try whose answer was lost is not stored twice
  const number = useRef('')
  if (!may('annotate')) {
    return state.own.length ? (
      <Text size="xs" c="dimmed" p="xs">
        {t('measuring.mayNot')}
      </Text>
    ) : null
  }
  const save = async () => {
    const own = JSON.stringify(state.own)
    if (!number.current.endsWith(own)) number.current = crypto.randomUUID() + own
    setBusy(true)
    try {
      await drawing.save(number.current.slice(0, 36), keyImages)
      number.current = ''
      notifications.show({ color: 'teal', title: t('measuring.done'), message: t('measuring.doneHelp') })
    } catch (error) {
      showError(error)
    } finally {
      setBusy(false)
    }
  }
  return (
    <footer className={classes.foot}>
      <Checkbox
        size="xs"
        label={t('measuring.keyImages')}
        checked={keyImages}
        onChange={(event) => setKeyImages(event.currentTarget.checked)}
        disabled={!state.own.length}
      />
      <Button size="xs" fullWidth loading={busy} disabled={!state.own.length} onClick={() => void save()}>
        {t('measuring.save')}
      </Button>
    </footer>
  )
}

interface EntryProps {
  one: Annotation | Measured
  number: number
  go: () => void
  /** Of what may be changed here. */
  drawing?: Drawing
}

function Entry({ one, number, go, drawing }: EntryProps) {
  const { t } = useTranslation()
  const [editing, setEditing] = useState(false)
  const values = one.values ?? []
  const tool = one.tool as Annotation['tool'] | 'other'
  const words = tool === 'other' || tool === 'text' || tool === 'ratio' ? t(`measuring.${tool}`) : t(`viewing.tool.${tool}`)
  const done = (label: string) => {
    setEditing(false)
    if (label !== one.label) drawing?.label(one.id, label)
  }
  return (
    <div className={classes.entry} data-testid="measurement">
      {editing ? (
        <TextInput
          size="xs"
          autoFocus
          aria-label={t('measuring.label')}
          defaultValue={one.label}
          maxLength={256}
          onBlur={(event) => done(event.currentTarget.value.trim())}
          onKeyDown={(event) => {
            event.stopPropagation()
            if (event.key === 'Enter') done(event.currentTarget.value.trim())
            if (event.key === 'Escape') setEditing(false)
          }}
        />
      ) : (
        <UnstyledButton className={classes.go} onClick={go} title={t('measuring.go')} disabled={!number}>
          <Text size="xs" fw={550} truncate>
            {one.label || words}
          </Text>
          <Text size="xs" c="dimmed" truncate>
            {[one.label && words, number > 0 && t('measuring.image', { number }), 'finding' in one && one.finding].filter(Boolean).join(' · ')}
          </Text>
          <span className={classes.values}>
            {values.map((value) => (
              <Figure key={value.name} value={value} alone={values.length === 1} />
            ))}
          </span>
        </UnstyledButton>
      )}
      {drawing && !editing && (
        <span className={classes.actions}>
          <ActionIcon size="sm" variant="subtle" color="gray" aria-label={t('measuring.editLabel')} onClick={() => setEditing(true)}>
            <IconPencil size={14} />
          </ActionIcon>
          <ActionIcon size="sm" variant="subtle" color="gray" aria-label={t('measuring.remove')} onClick={() => drawing.remove(one.id)}>
            <IconTrash size={14} />
          </ActionIcon>
        </span>
      )}
    </div>
  )
}

const UNITS: Record<string, string> = { mm2: 'mm²', px2: 'px²', deg: '°', raw: '', ratio: '' }

function Figure({ value, alone }: { value: Measured['values'][number]; alone: boolean }) {
  const { t, i18n } = useTranslation()
  const key = `measuring.value.${value.name}`
  const name = i18n.exists(key) ? t(key as 'measuring.value.length') : value.name
  const unit = UNITS[value.unit] ?? value.unit
  const digits = Math.abs(value.value) >= 1000 ? 0 : value.unit === 'ratio' ? 3 : 1
  return (
    <span className={classes.value}>
      {!alone && <span className={classes.name}>{name}</span>}
      {value.value.toFixed(digits)} {unit}
    </span>
  )
}

/** A person's name as it is read: its first group without carets. */
function name(text: string): string {
  return text.split('=')[0]!.split('^').filter(Boolean).join(' ')
}

function groups(state: State): [string, Measured[]][] {
  const replaced = new Set(state.previous)
  const found = new Map<string, Measured[]>()
  for (const one of state.measured) {
    if (!replaced.has(one.report)) found.set(one.report, [...(found.get(one.report) ?? []), one])
  }
  return [...found.entries()].reverse()
}

/** Which image of its series it is on, from 1; 0 where that is not known. */
function numberOf(drawing: Drawing, stacks: Stack[], one: { sop: string; frame: number }): number {
  const id = drawing.imageOf(one)
  const stack = stacks.find((each) => id !== undefined && each.imageIds.includes(id))
  return stack && id ? stack.imageIds.indexOf(id) + 1 : 0
}

/** Shows an image, in the pane where its stack is already, else in the active one. */
async function show(viewing: Viewing, stack: Stack, image: number): Promise<void> {
  const panes = viewing.get().panes
  const at = panes.findIndex((pane) => pane.stack?.id === stack.id)
  if (at >= 0) viewing.activate(at)
  else viewing.show(stack)
  for (let tries = 0; tries < 100; tries += 1) {
    const view = viewing.view()
    if (view?.stack.id === stack.id && view.shown()) return view.jumpTo(image)
    await new Promise((done) => setTimeout(done, 100))
  }
}

