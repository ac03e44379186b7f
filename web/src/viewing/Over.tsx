import { ActionIcon, Checkbox, CloseButton, Slider, Text } from '@mantine/core'
import { IconEye, IconEyeOff } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'

import type { Shown } from './engine/viewport'
import type { Pane, Viewing } from './model'
import classes from './Over.module.css'

/** What lies over a pane's images, and how to take it away: a presentation state, segments with their colours. */
export function OverNotes({ pane, index, viewing, shown }: { pane: Pane; index: number; viewing: Viewing; shown: Shown }) {
  const { t } = useTranslation()
  const { state, segmentation, hidden, opacity, overlays } = pane.over
  if (!state && !segmentation && overlays) return null
  const toggle = (segment: number) => {
    const now = new Set(hidden)
    if (!now.delete(segment)) now.add(segment)
    viewing.cover({ hidden: now }, index)
  }
  const all = segmentation?.segments ?? []
  const visible = all.some((one) => !hidden.has(one.number))
  return (
    <div className={classes.notes} onDoubleClick={(event) => event.stopPropagation()}>
      {!overlays && <span className={classes.note}>{t('viewing.overlaysOff')}</span>}
      {state && (
        <div className={classes.note} data-state={shown.state}>
          <span>
            {t('viewing.state')}: {state.label || t('viewing.unnamed')}
            {shown.state === 'not-for-this' && ` - ${t('viewing.notForThis')}`}
          </span>
          <CloseButton size="xs" aria-label={t('viewing.withoutState')} title={t('viewing.withoutState')} onClick={() => viewing.cover({ state: null }, index)} />
        </div>
      )}
      {segmentation && (
        <div className={classes.legend} role="group" aria-label={segmentation.label || t('viewing.segmentation')}>
          <div className={classes.heading}>
            <Text size="xs" fw={550} truncate>
              {segmentation.label || t('viewing.segmentation')}
            </Text>
            <ActionIcon
              size="xs"
              variant="subtle"
              color="gray"
              aria-label={t('viewing.segments')}
              aria-pressed={visible}
              onClick={() => viewing.cover({ hidden: visible ? new Set(all.map((one) => one.number)) : new Set() }, index)}
            >
              {visible ? <IconEye size={14} /> : <IconEyeOff size={14} />}
            </ActionIcon>
            <CloseButton size="xs" aria-label={t('viewing.withoutSegments')} onClick={() => viewing.cover({ segmentation: null }, index)} />
          </div>
          {all.map((one) => (
            <Checkbox
              key={one.number}
              size="xs"
              checked={!hidden.has(one.number)}
              onChange={() => toggle(one.number)}
              label={
                <span className={classes.segment}>
                  <i style={{ background: one.colour }} />
                  {one.label}
                </span>
              }
            />
          ))}
          <Slider
            size="xs"
            min={0.05}
            max={1}
            step={0.05}
            label={null}
            value={opacity}
            onChange={(value) => viewing.cover({ opacity: value }, index)}
            thumbLabel={t('viewing.opacity')}
          />
        </div>
      )}
    </div>
  )
}
