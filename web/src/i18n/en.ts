import { access } from './en/access'
import { admin } from './en/admin'
import { app } from './en/app'
import { archive } from './en/archive'
import { audit } from './en/audit'
import { department } from './en/department'
import { devices } from './en/devices'
import { hanging } from './en/hanging'
import { insight } from './en/insight'
import { patients } from './en/patients'
import { people } from './en/people'
import { reporting } from './en/reporting'
import { safety } from './en/safety'
import { stewards } from './en/stewards'
import { templates } from './en/templates'
import { viewing } from './en/viewing'
import { measuring } from './en/viewing-measure'
import { why } from './en/why'
import { tasks, work } from './en/work'

/** Every word on the screens; zh.ts has the same keys, which the compiler checks. */
export const en = { app, access, archive, viewing, measuring, admin, audit, department, devices, hanging, insight, reporting, safety, templates, patients, people, stewards, why, work, tasks }

/** The shape of a language: the same keys, any words. */
export type Words<T> = { readonly [K in keyof T]: T[K] extends string ? string : Words<T[K]> }
