import type { Words, en } from './en'
import { access } from './zh/access'
import { app } from './zh/app'
import { archive } from './zh/archive'
import { viewing } from './zh/viewing'

export const zh: Words<typeof en> = { app, access, archive, viewing }
