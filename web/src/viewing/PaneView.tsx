import { Button, Stack as Column, Text } from '@mantine/core'
import { useEffect, useReducer, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { Awaited, useAwaited } from './Awaited'
import { Corners } from './Corners'
import { root, type Stack } from './engine/series'
import { StackView, type Shown } from './engine/viewport'
import { OverNotes } from './Over'
import type { Pane, Spot, Viewing } from './model'
import { Tile } from './Tile'
import classes from './Viewer.module.css'

/** What a series is called while it is dragged. */
export const DRAGGED = 'application/x-filmless-stack'

/** One viewport: the image, its corners, and what is said while there is none. */
interface PaneProps {
  pane: Pane
  index: number
  viewing: Viewing
  active: boolean
  /** The stack that is dropped here. */
  find: (id: string) => Stack | undefined
  /** A place that somebody points at. */
  spot: Spot | null
  /** Whether it shows another study than the one that is read. */
  prior: boolean
}

export function PaneView({ pane, index, viewing, active, find, spot, prior }: PaneProps) {
  const { t } = useTranslation()
  const stack = pane.stack
  return (
    <section
      className={classes.pane}
      data-active={active || undefined}
      data-stack={stack?.id}
      data-over={pane.over.state?.sop ?? pane.over.segmentation?.sop}
      aria-label={`${t('viewing.pane')} ${index + 1}`}
      onPointerDownCapture={() => viewing.activate(index)}
      onDoubleClick={() => viewing.maximise()}
      onDragOver={(event) => {
        if (event.dataTransfer.types.includes(DRAGGED)) event.preventDefault()
      }}
      onDrop={(event) => {
        const dropped = find(event.dataTransfer.getData(DRAGGED))
        if (!dropped) return
        event.preventDefault()
        viewing.show(dropped, index)
      }}
    >
      {prior && stack && <span className={classes.prior}>{t('viewing.prior')}</span>}
      {stack === null ? (
        <div className={classes.centre}>
          <Text size="sm" c="dimmed">
            {t('viewing.emptyPane')}
          </Text>
        </div>
      ) : stack.kind === 'images' ? (
        <Images key={`${pane.id} ${stack.id}`} pane={pane} index={index} viewing={viewing} spot={spot} />
      ) : (
        <Tile stack={stack} index={index} viewing={viewing} />
      )}
    </section>
  )
}

function Images({ pane, index, viewing, spot }: { pane: Pane; index: number; viewing: Viewing; spot: Spot | null }) {
  const { t } = useTranslation()
  const element = useRef<HTMLDivElement>(null)
  const [failed, setFailed] = useState(false)
  const [view, setView] = useState<StackView | null>(null)
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  const stack = pane.stack!

  useEffect(() => {
    let gone = false
    let opened: StackView | null = null
    let due = 0
    const changed = () => {
      cancelAnimationFrame(due)
      due = requestAnimationFrame(redraw)
      viewing.moved(pane.id)
    }
    const first = pane.start?.image ? pane.start.image - 1 : stack.volume ? Math.floor(stack.imageIds.length / 2) : 0
    StackView.open(pane.id, element.current!, stack, first, changed)
      .then((made) => {
        if (gone) return made.close()
        opened = made
        if (pane.start?.window) made.window(pane.start.window.center, pane.start.window.width)
        if (pane.start?.invert) made.invert()
        viewing.opened(pane.id, made)
        setView(made)
      })
      .catch((error: unknown) => {
        console.error('an image cannot be shown', error)
        if (!gone) setFailed(true)
      })
    const observer = new ResizeObserver(() => opened?.resize())
    observer.observe(element.current!)
    return () => {
      gone = true
      cancelAnimationFrame(due)
      observer.disconnect()
      opened?.close()
      if (viewing.views.get(pane.id) === opened) viewing.views.delete(pane.id)
    }
  }, [pane.id, stack, viewing])

  useEffect(() => view?.cover(pane.over), [view, pane.over])

  // nothing is measured before its image is there: what is drawn now would be of the one that one waits for
  useEffect(() => {
    const around = element.current?.parentElement
    const drawing = (event: Event) => {
      if (view?.awaited() != null && viewing.measures()) event.stopPropagation()
    }
    const kinds = ['mousedown', 'touchstart', 'pointerdown', 'dblclick']
    for (const kind of kinds) around?.addEventListener(kind, drawing, true)
    return () => kinds.forEach((kind) => around?.removeEventListener(kind, drawing, true))
  }, [view, viewing])

  const awaited = useAwaited(view)
  const shown: Shown | null = view?.shown(awaited) ?? null
  const first = stack.instances[stack.volume ? Math.floor(stack.instances.length / 2) : 0]!
  return (
    <>
      {!shown && !failed && (
        <>
          <img className={classes.preview} alt="" src={`${root(stack.study, stack.series)}/instances/${first.sop}/thumbnail?viewport=512,512`} />
          <span className={classes.previewMark}>{t('viewing.preview')}</span>
        </>
      )}
      <div ref={element} className={classes.image} onContextMenu={(event) => event.preventDefault()} data-ready={shown && !shown.failed && !shown.late ? true : undefined} data-frame={shown?.address} data-corner={shown?.corner.join()} data-step={shown?.step.join()} data-window={shown && !shown.tones ? `${shown.center},${shown.width}` : undefined} data-picture={shown?.picture || undefined} />
      {view && awaited !== null && <Awaited view={view} image={awaited} />}
      {shown && <Corners shown={shown} stack={stack} />}
      {shown && <OverNotes pane={pane} index={index} viewing={viewing} shown={shown} />}
      {shown && view && spot && <Cross found={view.spot(spot.point, spot.reference)} own={spot.pane === pane.id} />}
      {(failed || shown?.failed) && (
        <div className={classes.centre} role="alert" data-tile>
          <Column align="center" gap="xs" maw="80%" ta="center">
            <Text size="sm" fw={550}>
              {[stack.modality, stack.description].filter(Boolean).join(' ')}
            </Text>
            <Text size="sm">{t('viewing.failed')}</Text>
            {shown && (
              <Button variant="default" onClick={() => void view?.again()}>
                {t('viewing.again')}
              </Button>
            )}
          </Column>
        </div>
      )}
    </>
  )
}

/** Where somebody points with the 3D cursor: a cross, dashed where this image is some way from the place. */
function Cross({ found, own }: { found: ReturnType<StackView['spot']>; own: boolean }) {
  if (!found) return null
  const [x, y] = found.at
  return (
    <svg className={classes.cross} data-cross={`${x.toFixed(1)},${y.toFixed(1)}`} data-own={own || undefined} aria-hidden>
      <g strokeDasharray={found.away > 5 ? '3 3' : undefined}>
        <path d={`M ${x - 14} ${y} H ${x - 4} M ${x + 4} ${y} H ${x + 14} M ${x} ${y - 14} V ${y - 4} M ${x} ${y + 4} V ${y + 14}`} />
      </g>
    </svg>
  )
}
