import { ActionIcon, Loader, Progress, SegmentedControl, Select, Slider, Text } from '@mantine/core'
import { IconCube, IconRefresh, IconX } from '@tabler/icons-react'
import { useEffect, useReducer, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { Corners, EdgeLetters, Scale } from './Corners'
import type { Stack } from './engine/series'
import { LINES } from './engine/tools'
import { NoGraphics, PLANES, presetsOf, VolumeView, type Blend, type Plane } from './engine/volume'
import type { Viewing } from './model'
import classes from './Viewer.module.css'

/** A volume in three planes, thin or as slabs, and rendered as a whole. */
export function VolumePanes({ stack, viewing, opened }: { stack: Stack; viewing: Viewing; opened: (view: VolumeView | null) => void }) {
  const { t } = useTranslation()
  const elements = useRef<Partial<Record<Plane, HTMLDivElement>>>({})
  const space = useRef<HTMLDivElement>(null)
  const panes = useRef<HTMLDivElement>(null)
  const [view, setView] = useState<VolumeView | null>(null)
  const [failed, setFailed] = useState<'noVolume' | 'noGraphics' | null>(null)
  const [part, setPart] = useState(0)
  const [thickness, setThickness] = useState(0)
  const [blend, setBlend] = useState<Blend>('max')
  const [preset, setPreset] = useState<string | null>(null)
  const [, redraw] = useReducer((count: number) => count + 1, 0)

  useEffect(() => {
    let gone = false
    let made: VolumeView | null = null
    let due = 0
    const changed = () => {
      cancelAnimationFrame(due)
      due = requestAnimationFrame(redraw)
    }
    VolumeView.open(stack, elements.current as Record<Plane, HTMLDivElement>, changed, (now) => !gone && setPart(now))
      .then((found) => {
        if (gone) return found.close()
        made = found
        viewing.cutting = found
        setView(found)
        opened(found)
      })
      .catch((error: unknown) => {
        console.error('no volume can be made', error)
        if (!gone) setFailed(error instanceof NoGraphics ? 'noGraphics' : 'noVolume')
      })
    const observer = new ResizeObserver(() => made?.resize())
    observer.observe(elements.current.axial!)
    return () => {
      gone = true
      cancelAnimationFrame(due)
      observer.disconnect()
      made?.close()
      if (viewing.cutting === made) viewing.cutting = null
      opened(null)
    }
  }, [stack, opened, viewing])

  // nothing is measured before all of it is here, nor where the planes are not what they seem
  useEffect(() => {
    const around = panes.current
    const drawing = (event: Event) => {
      if (!viewing.measures() || (view && !view.unmeasured())) return
      event.stopPropagation()
      redraw()
    }
    const kinds = ['mousedown', 'touchstart', 'pointerdown', 'dblclick']
    for (const kind of kinds) around?.addEventListener(kind, drawing, true)
    return () => kinds.forEach((kind) => around?.removeEventListener(kind, drawing, true))
  }, [view, viewing])

  useEffect(() => view?.slab(thickness, blend), [view, thickness, blend])
  useEffect(() => {
    if (view) void view.render(preset ? space.current : null, preset ?? '')
  }, [view, preset])

  const complete = part >= 1
  useEffect(() => {
    if (!complete || !view) return
    view.refresh()
    const timer = setTimeout(() => view.refresh(), 500)
    return () => clearTimeout(timer)
  }, [complete, view])
  const unmeasured = view?.unmeasured() ?? null
  return (
    <div className={classes.volume}>
      <div className={classes.volumeTools} role="toolbar" aria-label={t('viewing.volume')}>
        <Text size="xs" c="dimmed">
          {t('viewing.slab')}
        </Text>
        <Slider
          w={130}
          size="sm"
          min={0}
          max={50}
          value={thickness}
          onChange={setThickness}
          label={(value) => `${value} mm`}
          thumbLabel={t('viewing.slab')}
        />
        <Text size="xs" w={44} ta="right" style={{ fontVariantNumeric: 'tabular-nums' }}>
          {thickness} mm
        </Text>
        <SegmentedControl
          size="xs"
          value={blend}
          onChange={(value) => setBlend(value as Blend)}
          aria-label={t('viewing.blendName')}
          data={(['max', 'min', 'mean'] as const).map((value) => ({ value, label: t(`viewing.blend.${value}`) }))}
        />
        <Select
          size="xs"
          w={170}
          placeholder={t('viewing.rendering')}
          aria-label={t('viewing.rendering')}
          leftSection={<IconCube size={14} />}
          clearable
          value={preset}
          onChange={setPreset}
          disabled={!complete}
          data={presetsOf(stack).map((value) => ({ value, label: t(`viewing.look.${value as 'CT-Bone'}`) }))}
        />
        <ActionIcon variant="subtle" color="gray" aria-label={t('viewing.reset')} title={t('viewing.reset')} onClick={() => view?.reset()}>
          <IconRefresh size={16} />
        </ActionIcon>
        {!complete && !failed && <Progress w={90} size="sm" value={part * 100} aria-label={t('viewing.preview')} />}
        {!complete && !failed && <span className={classes.lossy}>{t('viewing.preview')}</span>}
        {complete && view?.incomplete() && (
          <Text size="xs" c="red" role="alert">
            {t('viewing.incomplete')}
          </Text>
        )}
        {unmeasured && unmeasured !== 'awaited' && unmeasured !== 'incomplete' && (
          <Text size="xs" c="orange" role="status" data-unmeasured={unmeasured}>
            {t(`viewing.unmeasured.${unmeasured}`)}
          </Text>
        )}
        <ActionIcon ml="auto" variant="subtle" color="gray" aria-label={t('viewing.backToStack')} title={t('viewing.backToStack')} onClick={() => viewing.cut(null)}>
          <IconX size={16} />
        </ActionIcon>
      </div>
      <div ref={panes} className={classes.planes} data-unmeasured={unmeasured ?? undefined} data-four={preset ? true : undefined}>
        {PLANES.map((plane) => {
          const shown = view?.shown(plane) ?? null
          return (
            <section key={plane} className={classes.pane} aria-label={t(`viewing.plane.${plane}`)}>
              <div
                ref={(element) => {
                  if (element) elements.current[plane] = element
                }}
                className={classes.image}
                data-plane={plane}
                data-ready={shown && complete ? true : undefined}
                data-normal={shown?.normal.map((value) => value.toFixed(3)).join()}
                onContextMenu={(event) => event.preventDefault()}
              />
              <div className={classes.corners} aria-hidden>
                <Corners.Patient json={stack.instances[0]!.json} />
                <div className={classes.bottomLeft}>
                  <b style={{ color: LINES[`plane-${plane}`] }}>{t(`viewing.plane.${plane}`)}</b>
                  {shown && shown.slab > 0 && shown.blend && (
                    <span>
                      {t(`viewing.blend.${shown.blend}`)} {shown.slab} mm
                    </span>
                  )}
                </div>
                {shown && shown.center !== null && shown.width !== null && (
                  <div className={classes.bottomRight}>
                    <span>
                      {t('viewing.window')} {Math.round(shown.width)} / {Math.round(shown.center)}
                    </span>
                  </div>
                )}
                {shown?.edges && <EdgeLetters edges={shown.edges} />}
                {shown && shown.mmPerPixel !== null && <Scale mm={shown.mmPerPixel} source="patient" />}
              </div>
              {!shown && !failed && (
                <div className={classes.centre}>
                  <Loader size="sm" />
                </div>
              )}
              {failed && (
                <div className={classes.centre} role="alert">
                  <Text size="sm" ta="center" maw="90%">
                    {t(`viewing.${failed}`)}
                  </Text>
                </div>
              )}
            </section>
          )
        })}
        <section className={classes.pane} aria-label={t('viewing.rendering')} hidden={!preset}>
          <div ref={space} className={classes.image} data-space onContextMenu={(event) => event.preventDefault()} />
        </section>
      </div>
    </div>
  )
}
