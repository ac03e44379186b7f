/** Who is signed in, for the components. */
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { createContext, useContext, useEffect, type ReactNode } from 'react'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { onSessionEnd, rememberCsrf } from '../api/session'

export type Session = components['schemas']['Whoami']

const Current = createContext<Session | null>(null)

export function useSessionQuery() {
  const client = useQueryClient()
  const query = useQuery({
    queryKey: ['session'],
    queryFn: async () => {
      const found = await data(api.GET('/session'))
      rememberCsrf(found?.csrf ?? '')
      return found ?? null
    },
    staleTime: 60_000,
  })
  useEffect(() => {
    onSessionEnd(() => void client.invalidateQueries({ queryKey: ['session'] }))
  }, [client])
  return query
}

export function SessionProvider({ session, children }: { session: Session; children: ReactNode }) {
  return <Current value={session}>{children}</Current>
}

export function useSession(): Session {
  const session = useContext(Current)
  if (!session) throw new Error('nobody is signed in here')
  return session
}

/** Whether the person may do something; the server decides again, this only spares them a button that says no. */
export type Action = components['schemas']['Action']

export function useMay(): (action: Action) => boolean {
  const session = useSession()
  return (action) => session.actions.includes(action)
}
