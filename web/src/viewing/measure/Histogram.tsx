import { Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'

import { frameOf } from '../engine/frames'
import { rescaleUnit } from '../engine/modules'
import type { Plane } from '../engine/planes'
import classes from './Measurements.module.css'
import type { Annotation, Measured } from './shapes'
import { histogram, samplesIn, samplesOnPlane, statistics } from './values'

const BINS = 48

/** How often which grey is inside an outline. */
export function Histogram({ one, image }: { one: Annotation | Measured; image: string }) {
  const { t } = useTranslation()
  const frame = frameOf(image)
  const tool = one.tool as Annotation['tool']
  const samples = one.plane ? samplesOnPlane(tool, one.points, one.plane as Plane, image) : samplesIn(tool, one.points, image)
  const found = samples && statistics(samples)
  if (!samples || !found || !frame) {
    return (
      <Text size="xs" c="dimmed" className={classes.chart}>
        {t(one.plane ? 'measuring.noPlaneValues' : 'measuring.noValues')}
      </Text>
    )
  }
  const counts = histogram(samples, BINS)
  const most = Math.max(...counts)
  const unit = rescaleUnit(frame) === 'HU' ? ' HU' : ''
  return (
    <figure className={classes.chart} data-testid="histogram" data-counts={counts.join(' ')}>
      <svg viewBox={`0 0 ${BINS} 20`} preserveAspectRatio="none" role="img" aria-label={t('measuring.histogram')}>
        {counts.map((count, at) => (
          <rect key={at} x={at + 0.08} width={0.84} y={20 - (20 * count) / most} height={(20 * count) / most} />
        ))}
      </svg>
      <figcaption>
        <span>{found.min.toFixed(Number.isInteger(found.min) ? 0 : 1)}</span>
        <span>{t(one.plane ? 'measuring.samples' : 'measuring.pixels', { count: found.count })}</span>
        <span>
          {found.max.toFixed(Number.isInteger(found.max) ? 0 : 1)}
          {unit}
        </span>
      </figcaption>
    </figure>
  )
}
