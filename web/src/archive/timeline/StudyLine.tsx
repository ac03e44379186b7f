import { useTranslation } from 'react-i18next'

import { useMay } from '../../access/session'
import type { TimelineItem } from '../../app/items'
import classes from './Timeline.module.css'

interface Picture {
  series_uid: string
  modality: string
  description: string
}

/** The series of a study, in small. */
export default function StudyLine({ item }: { item: TimelineItem }) {
  const { t } = useTranslation()
  const may = useMay()
  const pictures = (item.more.pictures ?? []) as Picture[]
  return (
    <>
      <div className={classes.dim}>
        {[
          t('archive.study.series_count', { count: item.more.series as number }),
          t('archive.study.images', { count: item.more.instances as number }),
          ...((item.more.body_parts ?? []) as string[]),
          item.accession_number,
        ]
          .filter(Boolean)
          .join(' · ')}
      </div>
      {may('view') && pictures.length > 0 && (
        <div className={classes.pictures}>
          {pictures.map((one) => (
            <img
              key={one.series_uid}
              src={`/dicom-web/studies/${item.study_uid}/series/${one.series_uid}/thumbnail?viewport=112,112`}
              alt={[one.modality, one.description].filter(Boolean).join(' ')}
              loading="lazy"
              width={44}
              height={44}
            />
          ))}
        </div>
      )}
    </>
  )
}
