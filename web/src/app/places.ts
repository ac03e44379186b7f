import { IconBolt, IconCalendarEvent, IconClipboardList, IconClipboardPlus, IconChartBar, IconInbox, IconHeartRateMonitor, IconListCheck, IconListSearch, IconReportMedical, IconSettings, IconUsersGroup, IconUserSearch, type Icon } from '@tabler/icons-react'

import type { Action } from '../access/session'
import { inCharge } from './sections'

/** The pages that are reached from the bar at the top. */
export interface Place {
  path: string
  word: 'registration' | 'exams' | 'booking' | 'queue' | 'studies' | 'reading' | 'criticals' | 'inbox' | 'work' | 'tasks' | 'persons' | 'statistics' | 'administration'
  icon: Icon
  /** Any of these actions; everybody where none is named. */
  needs?: Action[]
  /** Not for whoever may do this: another place is theirs. */
  unless?: Action
}

export const places: Place[] = [
  { path: '/registration', word: 'registration', icon: IconClipboardPlus, needs: ['register'] },
  { path: '/booking', word: 'booking', icon: IconCalendarEvent, needs: ['register'] },
  { path: '/studies', word: 'studies', icon: IconListSearch, needs: ['search'] },
  { path: '/queue', word: 'queue', icon: IconUsersGroup, needs: ['queue'] },
  { path: '/work', word: 'work', icon: IconHeartRateMonitor, needs: ['perform'] },
  { path: '/reading', word: 'reading', icon: IconReportMedical, needs: ['report'] },
  { path: '/criticals', word: 'criticals', icon: IconBolt, needs: ['raise-critical'] },
  { path: '/inbox', word: 'inbox', icon: IconInbox, needs: ['answer-critical'] },
  // what was asked for and what came of it, for those who are not at the desk
  { path: '/exams', word: 'exams', icon: IconClipboardList, needs: ['order', 'vet', 'hold', 'send-back', 'hand-out', 'void'], unless: 'register' },
  // those who ask for exams begin with what came of them
  { path: '/booking', word: 'booking', icon: IconCalendarEvent, needs: ['book'], unless: 'register' },
  {
    path: '/tasks',
    word: 'tasks',
    icon: IconListCheck,
    needs: ['perform', 'match-images', 'register', 'override-identity', 'report', 'review', 'hand-out', 'match', 'answer-critical'],
  },
  { path: '/persons', word: 'persons', icon: IconUserSearch, needs: ['change-persons', 'merge', 'match', 'match-images'] },
  { path: '/statistics', word: 'statistics', icon: IconChartBar, needs: ['statistics'] },
  { path: '/admin', word: 'administration', icon: IconSettings, needs: inCharge },
]

export function isFor(place: Place, may: (action: Action) => boolean): boolean {
  if (place.unless && may(place.unless)) return false
  return !place.needs || place.needs.some(may)
}
