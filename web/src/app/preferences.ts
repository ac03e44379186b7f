/** What a person has set up, kept on the server so that it is there at every desk. */
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useCallback, useRef } from 'react'

import { api, data } from '../api/client'
import { showError } from './errors'

function usePreferences() {
  return useQuery({
    queryKey: ['preferences'],
    queryFn: async () => (await data(api.GET('/me/preferences')))?.preferences ?? {},
    staleTime: Infinity,
  })
}

/** False until the server has said what was set up: pages wait for it, so that nothing jumps. */
export function usePreferencesReady(): boolean {
  return !usePreferences().isPending
}

/** [value, set]: `first` until the server has answered, and where nothing was kept. */
export function usePreference<T>(key: string, first: T): [T, (value: T) => void] {
  const client = useQueryClient()
  const query = usePreferences()
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const set = useCallback(
    (value: T) => {
      client.setQueryData(['preferences'], (kept: Record<string, unknown> | undefined) => ({ ...kept, [key]: value }))
      clearTimeout(timer.current)
      // dragging a column's edge is one change, not fifty
      timer.current = setTimeout(() => {
        void api
          .PUT('/me/preferences/{key}', { params: { path: { key } }, body: { value } })
          .catch(showError)
      }, 400)
    },
    [client, key],
  )
  return [(query.data?.[key] as T | undefined) ?? first, set]
}
