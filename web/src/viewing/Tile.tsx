import { Button, Stack as Column, Text } from '@mantine/core'
import { IconBookmarks, IconColorFilter, IconFileText, IconFileTypePdf, IconFileUnknown, IconMovie, IconPhotoEdit } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { privatePixels, root, type Stack } from './engine/series'
import type { Viewing } from './model'
import { Referring } from './Referring'
import { Report } from './Report'
import classes from './Viewer.module.css'

/** What is no image: shown as what it is, or labelled; never an error. */
export function Tile({ stack, index, viewing }: { stack: Stack; index: number; viewing: Viewing }) {
  const { t } = useTranslation()
  const [failed, setFailed] = useState(false)
  const first = stack.instances[0]!
  const address = `${root(stack.study, stack.series)}/instances/${first.sop}`
  if (stack.kind === 'pdf') return <iframe className={classes.document} src={`${address}/rendered?accept=application/pdf`} title={stack.description || 'PDF'} />
  if (stack.kind === 'report') return <Report stack={stack} index={index} viewing={viewing} />
  if (stack.kind === 'state' || stack.kind === 'segmentation' || stack.kind === 'keys') return <Referring key={stack.id} stack={stack} index={index} viewing={viewing} />
  if (stack.kind === 'video' && !failed) {
    return (
      <video
        className={classes.preview}
        src={`${address}/rendered?accept=video/mp4`}
        aria-label={stack.description || stack.modality}
        controls
        loop
        playsInline
        onError={() => setFailed(true)}
      />
    )
  }
  const own = privatePixels(first.json)
  return (
    <Labelled stack={stack}>
      <Text size="xs" c="dimmed" ta="center" maw={420}>
        {own ? t('viewing.privatePixels', { form: own.filter(Boolean).join(' ') }) : t(first.rows > 0 ? 'viewing.noPixels' : 'viewing.noPicture')}
      </Text>
    </Labelled>
  )
}

/** An object that cannot be shown: what it is, why, and how to get it. */
export function Labelled({ stack, children }: { stack: Stack; children: React.ReactNode }) {
  const { t } = useTranslation()
  const Icon = iconOf(stack)
  return (
    <div className={classes.centre} data-tile>
      <Column align="center" gap="xs">
        <Icon size={36} stroke={1.2} />
        <Text size="sm" fw={550}>
          {stack.modality} {stack.description}
        </Text>
        {children}
        <Button component="a" href={`${root(stack.study, stack.series)}/instances/${stack.instances[0]!.sop}?accept=application/dicom`} download variant="default">
          {t('viewing.downloadObject')}
        </Button>
      </Column>
    </div>
  )
}

const ICONS: Partial<Record<Stack['kind'], typeof IconMovie>> = {
  pdf: IconFileTypePdf,
  report: IconFileText,
  video: IconMovie,
  state: IconPhotoEdit,
  segmentation: IconColorFilter,
  keys: IconBookmarks,
}

export const iconOf = (stack: Stack) => ICONS[stack.kind] ?? IconFileUnknown
