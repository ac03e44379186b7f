import type { Words } from '../en'
import type { viewing as english } from '../en/viewing'

export const viewing: Words<typeof english> = {}
