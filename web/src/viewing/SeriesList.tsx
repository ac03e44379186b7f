import { Text, UnstyledButton } from '@mantine/core'
import { useTranslation } from 'react-i18next'

import type { components } from '../api/schema'
import { day, madeBy } from '../app/format'
import type { Stack } from './engine/series'
import { DRAGGED } from './PaneView'
import { iconOf } from './Tile'
import classes from './Viewer.module.css'

type Details = components['schemas']['StudyDetails']

export function Heading({ study }: { study: Details }) {
  return (
    <Text size="xs" c="dimmed" px={4} pb={4} truncate visibleFrom="sm">
      {[madeBy(study.modalities), day(study.date), study.description].filter(Boolean).join(' · ')}
    </Text>
  )
}

interface EntriesProps {
  study: string
  /** Another patient's images have the number of this study, too. */
  apart?: boolean
  series: Details['content'][number]
  stacks: Stack[] | undefined
  failed: boolean
  shown: ReadonlySet<string | undefined>
  choose: (stack: Stack | null) => void
}

export function Entries({ study, apart = false, series, stacks, failed, shown, choose }: EntriesProps) {
  const { t } = useTranslation()
  const picture = `/dicom-web/studies/${study}/series/${series.series_uid}`
  const several = (stacks?.length ?? 0) > 1
  const entries: (Stack | null)[] = stacks ?? [null]
  return entries.map((stack) => {
    const Icon = stack && stack.kind !== 'images' ? iconOf(stack) : null
    const one = several && stack ? stack.instances[0]!.sop : apart ? series.thumbnail.sop_instance_uid : ''
    const address = one ? `${picture}/instances/${one}/thumbnail` : `${picture}/thumbnail`
    return (
      <UnstyledButton
        key={stack?.id ?? series.series_uid}
        className={classes.entry}
        data-stack={stack?.id ?? ''}
        data-shown={(stack && shown.has(stack.id)) || undefined}
        title={series.description}
        draggable={stack !== null}
        onDragStart={(event: React.DragEvent) => stack && event.dataTransfer.setData(DRAGGED, stack.id)}
        onClick={() => choose(stack)}
      >
        {Icon ? (
          <span className={classes.thumbnail} style={{ display: 'grid', placeItems: 'center', color: '#dfe6ea' }}>
            <Icon size={28} stroke={1.2} />
          </span>
        ) : (
          <img className={classes.thumbnail} src={`${address}?viewport=128,128`} alt="" loading="lazy" />
        )}
        <div style={{ minWidth: 0 }}>
          <Text size="xs" fw={550} truncate>
            {series.description || series.protocol || series.modality}
          </Text>
          <Text size="xs" c="dimmed" truncate>
            {[series.modality, series.number && `#${series.number}`].filter(Boolean).join(' ')}
          </Text>
          <Text size="xs" c={failed ? 'red' : 'dimmed'} truncate>
            {failed
              ? t('viewing.failedShort')
              : stack
                ? t(stack.imageIds.length ? 'viewing.images' : 'archive.study.objects', { count: stack.imageIds.length || stack.instances.length })
                : t(series.images ? 'viewing.images' : 'archive.study.objects', { count: series.instances })}
          </Text>
        </div>
      </UnstyledButton>
    )
  })
}
