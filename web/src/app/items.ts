import { IconFileText, IconStack2, type Icon } from '@tabler/icons-react'
import { lazy, type ComponentType } from 'react'

import type { components } from '../api/schema'

export type TimelineItem = components['schemas']['TimelineItem']

/** A kind of items of a patient's timeline. A room that adds one adds a source on the server (archive/timeline.py) and a row here. */
export interface Kind {
  /** As the server says it. */
  kind: string
  /** Key of its name, which may count. */
  word: string
  icon: Icon
  /** What stands under the title, in the list. */
  line: ComponentType<{ item: TimelineItem }>
  /** What is shown beside the list when it is chosen. */
  details: ComponentType<{ item: TimelineItem }>
}

export const kinds: Kind[] = [
  {
    kind: 'study',
    word: 'archive.timeline.study',
    icon: IconStack2,
    line: lazy(() => import('../archive/timeline/StudyLine')),
    details: lazy(() => import('../archive/timeline/StudyItem')),
  },
  {
    kind: 'document',
    word: 'archive.timeline.document',
    icon: IconFileText,
    line: lazy(() => import('../archive/timeline/DocumentLine')),
    details: lazy(() => import('../archive/timeline/DocumentItem')),
  },
]
