import { useQueryClient } from '@tanstack/react-query'

import type { TimelineItem } from '../../app/items'
import { StudyDetails } from '../StudyDetails'

export default function StudyItem({ item }: { item: TimelineItem }) {
  const client = useQueryClient()
  return (
    <StudyDetails
      study={item.study_uid}
      changed={() => void client.invalidateQueries({ queryKey: ['timeline'] })}
      timeline={false}
    />
  )
}
