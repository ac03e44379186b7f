import { IconListSearch, type Icon } from '@tabler/icons-react'

import type { Action } from '../access/session'

/** The pages that are reached from the bar at the top. */
export interface Place {
  path: string
  word: 'studies' | 'devices' | 'jobs' | 'quarantine' | 'users' | 'audit' | 'system'
  icon: Icon
  /** Any of these actions; everybody where none is named. */
  needs?: Action[]
}

export const places: Place[] = [{ path: '/studies', word: 'studies', icon: IconListSearch, needs: ['search'] }]
