import type { Words } from '../en'
import type { archive as english } from '../en/archive'

export const archive: Words<typeof english> = {}
