import { Button, Group, Text } from '@mantine/core'
import { IconEye } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { useMay } from '../../access/session'
import type { TimelineItem } from '../../app/items'
import classes from './Timeline.module.css'

const PDF = '1.2.840.10008.5.1.4.1.1.104.1'
const REPORTS = '1.2.840.10008.5.1.4.1.1.88.'

/** A document as it is read: a PDF by the browser, a structured report as text. */
export default function DocumentItem({ item }: { item: TimelineItem }) {
  const { t } = useTranslation()
  const may = useMay()
  const { series_uid: series, sop_instance_uid: sop, sop_class_uid: kind } = item.more as Record<string, string>
  const shown = kind === PDF ? 'application/pdf' : kind?.startsWith(REPORTS) ? 'text/html' : ''
  if (!may('view')) {
    return (
      <Text size="sm" c="dimmed">
        {t('archive.timeline.notShown')}
      </Text>
    )
  }
  return (
    <div className={classes.document}>
      <Group gap="xs" mb="sm">
        <Button component={Link} href={`/view/${item.study_uid}?series=${series}`} leftSection={<IconEye size={15} />}>
          {t('archive.timeline.withStudy')}
        </Button>
      </Group>
      {shown ? (
        <iframe
          src={`/dicom-web/studies/${item.study_uid}/series/${series}/instances/${sop}/rendered?accept=${shown}`}
          title={item.title || t('archive.timeline.document_one')}
        />
      ) : (
        <Text size="sm" c="dimmed">
          {t('archive.timeline.notShown')}
        </Text>
      )}
    </div>
  )
}
