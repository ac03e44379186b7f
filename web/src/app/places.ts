import { IconBolt, IconChartBar, IconInbox, IconListSearch, IconReportMedical, IconSettings, type Icon } from '@tabler/icons-react'

import type { Action } from '../access/session'
import { inCharge } from './sections'

/** The pages that are reached from the bar at the top. */
export interface Place {
  path: string
  word: 'studies' | 'reading' | 'criticals' | 'inbox' | 'statistics' | 'administration'
  icon: Icon
  /** Any of these actions; everybody where none is named. */
  needs?: Action[]
}

export const places: Place[] = [
  { path: '/studies', word: 'studies', icon: IconListSearch, needs: ['search'] },
  { path: '/reading', word: 'reading', icon: IconReportMedical, needs: ['report'] },
  { path: '/criticals', word: 'criticals', icon: IconBolt, needs: ['raise-critical'] },
  { path: '/inbox', word: 'inbox', icon: IconInbox, needs: ['answer-critical'] },
  { path: '/statistics', word: 'statistics', icon: IconChartBar, needs: ['statistics'] },
  { path: '/admin', word: 'administration', icon: IconSettings, needs: inCharge },
]
