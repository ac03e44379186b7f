import type { Words, en } from './en'
import { access } from './zh/access'
import { admin } from './zh/admin'
import { app } from './zh/app'
import { archive } from './zh/archive'
import { audit } from './zh/audit'
import { devices } from './zh/devices'
import { people } from './zh/people'
import { stewards } from './zh/stewards'
import { viewing } from './zh/viewing'
import { measuring } from './zh/viewing-measure'
import { why } from './zh/why'

export const zh: Words<typeof en> = { app, access, archive, viewing, measuring, admin, audit, devices, people, stewards, why }
