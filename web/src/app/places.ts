import { IconChartBar, IconListSearch, IconSettings, type Icon } from '@tabler/icons-react'

import type { Action } from '../access/session'
import { inCharge } from './sections'

/** The pages that are reached from the bar at the top. */
export interface Place {
  path: string
  word: 'studies' | 'statistics' | 'administration'
  icon: Icon
  /** Any of these actions; everybody where none is named. */
  needs?: Action[]
}

export const places: Place[] = [
  { path: '/studies', word: 'studies', icon: IconListSearch, needs: ['search'] },
  { path: '/statistics', word: 'statistics', icon: IconChartBar, needs: ['statistics'] },
  { path: '/admin', word: 'administration', icon: IconSettings, needs: inCharge },
]
