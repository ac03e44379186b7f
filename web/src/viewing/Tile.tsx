import { Button, Stack as Column, Text } from '@mantine/core'
import { IconFileText, IconFileTypePdf, IconFileUnknown, IconMovie } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { root, type Stack } from './engine/series'
import classes from './Viewer.module.css'

/** What is no image: shown as what it is, or labelled; never an error. */
export function Tile({ stack }: { stack: Stack }) {
  const { t } = useTranslation()
  const [failed, setFailed] = useState(false)
  const first = stack.instances[0]!
  const address = `${root(stack.study, stack.series)}/instances/${first.sop}`
  if (stack.kind === 'pdf') return <iframe className={classes.document} src={`${address}/rendered?accept=application/pdf`} title={stack.description || 'PDF'} />
  if (stack.kind === 'report') return <iframe className={classes.document} src={`${address}/rendered?accept=text/html`} title={stack.description || stack.modality} />
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
  const Icon = stack.kind === 'video' ? IconMovie : IconFileUnknown
  return (
    <div className={classes.centre} data-tile>
      <Column align="center" gap="xs">
        <Icon size={36} stroke={1.2} />
        <Text size="sm" fw={550}>
          {stack.modality} {stack.description}
        </Text>
        <Text size="xs" c="dimmed">
          {t('viewing.noPicture')}
        </Text>
        <Button component="a" href={`${address}?accept=application/dicom`} download variant="default">
          {t('viewing.downloadObject')}
        </Button>
      </Column>
    </div>
  )
}

export function iconOf(stack: Stack) {
  if (stack.kind === 'pdf') return IconFileTypePdf
  if (stack.kind === 'report') return IconFileText
  return stack.kind === 'video' ? IconMovie : IconFileUnknown
}
