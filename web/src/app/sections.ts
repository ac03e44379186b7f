import {
  IconAlertTriangle,
  IconBuildingHospital,
  IconDeviceDesktop,
  IconEraser,
  IconFileAlert,
  IconFileBroken,
  IconFileCertificate,
  IconFingerprint,
  IconHistory,
  IconHourglass,
  IconLifebuoy,
  IconLink,
  IconServer2,
  IconUsers,
  IconZoomQuestion,
  type Icon,
} from '@tabler/icons-react'
import { lazy, type ComponentType } from 'react'

import type { Action } from '../access/session'

/** The pages of those in charge, in the order of their list. */
export interface Place {
  path: string
  word: string
  icon: Icon
  /** Any of these. */
  needs: Action[]
  page: ComponentType
}

export const sections: Place[] = [
  { path: '/admin/users', word: 'users', icon: IconUsers, needs: ['users', 'access-review'], page: lazy(() => import('../access/Users')) },
  { path: '/admin/devices', word: 'devices', icon: IconDeviceDesktop, needs: ['devices'], page: lazy(() => import('../devices/Devices')) },
  { path: '/admin/department', word: 'department', icon: IconBuildingHospital, needs: ['master-data'], page: lazy(() => import('../department/master/MasterData')) },
  { path: '/admin/letterhead', word: 'letterhead', icon: IconFileCertificate, needs: ['master-data'], page: lazy(() => import('../reporting/Letterhead')) },
  { path: '/admin/jobs', word: 'jobs', icon: IconHourglass, needs: ['jobs'], page: lazy(() => import('../exchange/Jobs')) },
  { path: '/admin/quarantine', word: 'quarantine', icon: IconFileAlert, needs: ['quarantine'], page: lazy(() => import('../archive/Quarantine')) },
  { path: '/admin/doubts', word: 'doubts', icon: IconAlertTriangle, needs: ['flags'], page: lazy(() => import('../archive/Doubts')) },
  { path: '/admin/lenient', word: 'lenient', icon: IconFileBroken, needs: ['flags'], page: lazy(() => import('../archive/Lenient')) },
  { path: '/admin/rejections', word: 'rejections', icon: IconEraser, needs: ['revoke', 'reject'], page: lazy(() => import('../archive/Rejections')) },
  { path: '/admin/corrections', word: 'corrections', icon: IconHistory, needs: ['correct'], page: lazy(() => import('../archive/Corrections')) },
  { path: '/admin/why', word: 'why', icon: IconZoomQuestion, needs: ['explain'], page: lazy(() => import('../archive/why/Explain')) },
  { path: '/admin/links', word: 'links', icon: IconLink, needs: ['share'], page: lazy(() => import('../exchange/Links')) },
  { path: '/admin/system', word: 'system', icon: IconServer2, needs: ['health'], page: lazy(() => import('./System')) },
  { path: '/admin/audit', word: 'audit', icon: IconFingerprint, needs: ['audit'], page: lazy(() => import('../access/Audit')) },
  { path: '/admin/emergencies', word: 'emergencies', icon: IconLifebuoy, needs: ['review-break-glass'], page: lazy(() => import('../access/Emergencies')) },
]

/** What opens the area at all. */
export const inCharge: Action[] = [...new Set(sections.flatMap((one) => one.needs))]
