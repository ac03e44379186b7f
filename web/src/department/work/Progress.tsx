import { IconAlertTriangle, IconUserQuestion } from '@tabler/icons-react'
import { Tooltip } from '@mantine/core'
import { useTranslation } from 'react-i18next'

import { listComma } from '../../app/format'
import { kindOf, type Row } from './model'
import classes from './Work.module.css'

/** How many images of an exam are there, of how many. */
export function Images({ row }: { row: Row }) {
  const { t } = useTranslation()
  const { received, expected, missing } = row.progress
  const { state, images } = row.listed.exam
  if (expected === null) {
    const absent = received === 0 && state >= 'E50' && state < 'F'
    return <span className={absent ? classes.bad : undefined}>{received || (absent ? '0' : '')}</span>
  }
  const tone = missing > 0 ? classes.bad : images === 'complete' ? classes.good : undefined
  return (
    <span className={tone}>
      {t('work.imagesOf', { received, expected })}
    </span>
  )
}

/** What somebody should look at: an identity that nobody checked, open tasks. */
export function Signs({ row }: { row: Row }) {
  const { t } = useTranslation()
  const kinds = row.tasks.map(kindOf).filter((kind) => kind !== undefined)
  const words = t('work.hasTasks', { kinds: [...new Set(kinds)].map((kind) => t(`tasks.kinds.${kind}`)).join(listComma()) })
  return (
    <span className={classes.signs}>
      {row.listed.exam.state === 'E40' && !row.progress.checked && (
        <Tooltip label={t('work.unchecked')}>
          <IconUserQuestion size={15} className={classes.warn} aria-label={t('work.unchecked')} />
        </Tooltip>
      )}
      {kinds.length > 0 && (
        <Tooltip label={words} multiline maw={320}>
          <IconAlertTriangle size={15} className={classes.bad} aria-label={words} />
        </Tooltip>
      )}
    </span>
  )
}
