import { ActionIcon, Button, Checkbox, Loader, Text, Tooltip } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { IconChevronLeft, IconChevronRight, IconRuler } from '@tabler/icons-react'
import { useMediaQuery } from '@mantine/hooks'
import { useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { useTranslation } from 'react-i18next'

import { useMay } from '../../access/session'
import { ErrorNote, showError } from '../../app/errors'
import { usePreference } from '../../app/preferences'
import type { Plane } from '../engine/planes'
import type { Stack } from '../engine/series'
import type { Viewing } from '../model'
import { Drawing, type State } from './drawing'
import { Entry } from './Entry'
import classes from './Measurements.module.css'
import { Questions } from './Questions'
import { middleOf, type Annotation, type Measured } from './shapes'

interface Props {
  /** Beside a report, which needs the room. */
  beside?: boolean
  viewing: Viewing
  /** The study that is read, then those beside it, with what is known of their stacks; `row`: see useStudy. */
  studies: { study: string; title: string; stacks: Stack[]; row: number }[]
}

/** What is measured in the studies that are open: one's own, kept by itself, and what reports say. */
export function Measurements({ viewing, studies, beside = false }: Props) {
  const { t } = useTranslation()
  const wide = useMediaQuery('(min-width: 62em)', true, { getInitialValueInEffect: false })
  const [kept, keep] = usePreference(beside ? 'reading.measurements' : 'viewing.measurements', !beside)
  // on a narrow screen it lies over the image: there only for as long as it is asked for
  const [over, setOver] = useState(false)
  const [open, setOpen] = wide ? [kept, keep] : [over, setOver]
  const parts = studies.map((one) => <OneStudy key={`${one.study} ${one.row}`} {...one} viewing={viewing} open={open} several={studies.length > 1} />)
  return (
    <>
      <Questions />
      {open ? (
        <aside className={classes.panel} aria-label={t('measuring.title')}>
          <header className={classes.head}>
            <Text size="sm" fw={600} component="h2" m={0}>
              {t('measuring.title')}
            </Text>
            <span />
            <ActionIcon variant="subtle" color="gray" aria-label={t('measuring.hide')} onClick={() => setOpen(false)}>
              <IconChevronRight size={16} />
            </ActionIcon>
          </header>
          {parts}
        </aside>
      ) : (
        <aside className={classes.rail} aria-label={t('measuring.title')}>
          <Tooltip label={t('measuring.show')} position="left">
            <ActionIcon variant="subtle" color="gray" aria-label={t('measuring.show')} onClick={() => setOpen(true)}>
              <IconChevronLeft size={16} />
            </ActionIcon>
          </Tooltip>
          <IconRuler size={16} stroke={1.6} aria-hidden />
          {parts}
        </aside>
      )}
    </>
  )
}

/** Those of one study: its drawings live as long as it is open, whether they are listed or not. */
function OneStudy({ study, title, stacks, row, viewing, open, several }: Props['studies'][number] & { viewing: Viewing; open: boolean; several: boolean }) {
  const { t } = useTranslation()
  const drawing = useDrawing(study, row)
  const all = useSyncExternalStore(drawing.subscribe, drawing.get)
  const mixed = row > 0
  // of the same number are images of another patient: what is drawn on those is none of this one's
  const state = mixed ? { ...all, own: all.own.filter((one) => drawing.imageOf(one) !== undefined) } : all
  const images = stacks.flatMap((one) => one.imageIds)
  const known = images.length
  // a series more is known: what was drawn on it can be shown
  useEffect(() => drawing.know(images), [drawing, known])

  const entry = (one: Annotation | Measured, own: boolean) => {
    const image = drawing.imageOf(one)
    const stack = stacks.find((each) => image !== undefined && each.imageIds.includes(image))
    // of no volume, no plane can be shown
    const number = stack && image && (!one.plane || stack.volume) ? stack.imageIds.indexOf(image) + 1 : 0
    const go = () => stack && void (one.plane ? cut(viewing, stack, one) : show(viewing, stack, number))
    return <Entry key={one.id} one={one} drawing={own ? drawing : undefined} go={go} number={number} image={image} />
  }
  if (!open) {
    return (
      <>
        <Text size="xs">{state.own.length + state.measured.length || ''}</Text>
        {state.status === 'waiting' && <span className={classes.alarm} role="status" aria-label={t('measuring.status.waiting')} />}
      </>
    )
  }
  return (
    <section className={classes.study} aria-label={title}>
      <div className={classes.about}>
        <Text size="xs" c="dimmed" truncate>
          {several && title}
        </Text>
        <Keeping state={state} again={drawing.keepNow} />
      </div>
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
        {state.own.map((one) => entry(one, true))}
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
            {those.map((one) => entry(one, false))}
          </section>
        ))}
        {state.leftOut > 0 && (
          <Text size="xs" c="orange" px={4}>
            {t('measuring.leftOut', { count: state.leftOut })}
          </Text>
        )}
      </div>
      {(!several || state.own.length > 0) && <Save drawing={drawing} state={state} />}
    </section>
  )
}

/** Drawings of open studies: a panel that is opened or closed finds them as they were. */
const drawings = new Map<string, { drawing: Drawing; users: number; end: () => void }>()

function useDrawing(study: string, row: number): Drawing {
  const key = `${study} ${row}`
  const [drawing] = useState(() => drawings.get(key)?.drawing ?? new Drawing(study, row))
  useEffect(() => {
    const found = drawings.get(key) ?? { drawing, users: 0, end: drawing.start() }
    found.users += 1
    drawings.set(key, found)
    return () => {
      found.users -= 1
      // the same study again in the same moment is no end
      setTimeout(() => {
        if (found.users > 0 || drawings.get(key) !== found) return
        drawings.delete(key)
        found.end()
      })
    }
  }, [key, drawing])
  return drawing
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
        // what is on planes is on no image
        disabled={state.own.every((one) => one.plane)}
      />
      <Button size="xs" fullWidth loading={busy} disabled={!state.own.length} onClick={() => void save()}>
        {t('measuring.save')}
      </Button>
    </footer>
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


/** Shows the plane on which something is. */
async function cut(viewing: Viewing, stack: Stack, one: Annotation | Measured): Promise<void> {
  const plane = one.plane as Plane
  if (viewing.get().volume?.id !== stack.id) viewing.cut(stack)
  for (let tries = 0; tries < 100; tries += 1) {
    const view = viewing.cutting
    if (view?.stack.id === stack.id) return view.go(plane, middleOf(one as Annotation, plane))
    await new Promise((done) => setTimeout(done, 100))
  }
}
