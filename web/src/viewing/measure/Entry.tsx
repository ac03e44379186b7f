import { ActionIcon, Autocomplete, Text, UnstyledButton } from '@mantine/core'
import { IconChartHistogram, IconPencil, IconTrash } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { Histogram } from './Histogram'
import type { Plane } from '../engine/planes'
import type { Drawing } from './drawing'
import classes from './Measurements.module.css'
import type { Annotation, Measured } from './shapes'
import { usePhrases } from './phrases'
import { figure, nameOf, planeWords, sourceOf } from './words'

interface EntryProps {
  one: Annotation | Measured
  /** Which image of its stack it is on, from 1; 0 where that is not known. */
  number: number
  /** The image itself, where it is known. */
  image: string | undefined
  go: () => void
  /** Of what may be changed here. */
  drawing?: Drawing
}

/** One thing that was drawn: what it is, where, its numbers. */
export function Entry({ one, number, image, go, drawing }: EntryProps) {
  const { t } = useTranslation()
  const [editing, setEditing] = useState(false)
  const [chart, setChart] = useState(false)
  const [phrases, remember] = usePhrases()
  const [typed, type] = useState(one.label ?? '')
  const values = one.values ?? []
  const tool = one.tool as Annotation['tool'] | 'other'
  const words = tool === 'other' || tool === 'text' ? t(`measuring.${tool}`) : t(`viewing.tool.${tool}`)
  const closed = ['ellipse', 'rectangle', 'freehand'].includes(tool)
  const done = (label: string) => {
    setEditing(false)
    if (label === one.label) return
    drawing?.label(one.id, label)
    remember(label)
  }
  return (
    <div className={classes.entry} data-testid="measurement" data-tool={tool}>
      {editing ? (
        <Autocomplete
          size="xs"
          autoFocus
          aria-label={t('measuring.label')}
          data={phrases}
          limit={6}
          value={typed}
          onChange={type}
          maxLength={256}
          onBlur={() => done(typed.trim())}
          onKeyDown={(event) => {
            event.stopPropagation()
            if (event.key === 'Enter' && !event.nativeEvent.isComposing) done(event.currentTarget.value.trim())
            if (event.key === 'Escape') setEditing(false)
          }}
        />
      ) : (
        <UnstyledButton className={classes.go} onClick={go} title={t(one.plane ? 'measuring.goPlane' : 'measuring.go')} disabled={!number}>
          <Text size="xs" fw={550} truncate>
            {one.label || words}
          </Text>
          <Text size="xs" c="dimmed" truncate={!one.plane}>
            {[one.label && words, one.plane ? planeWords(one.plane as Plane) : number > 0 && t('measuring.image', { number }), !one.plane && sourceOf(one as Annotation), 'finding' in one && one.finding].filter(Boolean).join(' · ')}
          </Text>
          <span className={classes.values}>
            {values.map((value) => {
              const name = nameOf(value, values.length === 1)
              return (
                <span key={`${value.name} ${value.unit}`} className={classes.value}>
                  {name && <span className={classes.name}>{name}</span>}
                  {figure(value)}
                </span>
              )
            })}
          </span>
        </UnstyledButton>
      )}
      {!editing && (
        <span className={classes.actions}>
          {closed && image && (
            <ActionIcon size="sm" variant="subtle" color="gray" aria-label={t('measuring.histogram')} aria-expanded={chart} onClick={() => setChart(!chart)}>
              <IconChartHistogram size={14} />
            </ActionIcon>
          )}
          {drawing && (
            <>
              <ActionIcon
                size="sm"
                variant="subtle"
                color="gray"
                aria-label={t('measuring.editLabel')}
                onClick={() => {
                  type(one.label ?? '')
                  setEditing(true)
                }}
              >
                <IconPencil size={14} />
              </ActionIcon>
              <ActionIcon size="sm" variant="subtle" color="gray" aria-label={t('measuring.remove')} onClick={() => drawing.remove(one.id)}>
                <IconTrash size={14} />
              </ActionIcon>
            </>
          )}
        </span>
      )}
      {chart && image && <Histogram one={one} image={image} />}
    </div>
  )
}
