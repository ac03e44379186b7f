export const viewing = {} as const
