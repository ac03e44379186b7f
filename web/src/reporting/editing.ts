/** What is typed into a report, kept on the server while it is typed. */
import { useCallback, useEffect, useRef, useState } from 'react'

import { api, data } from '../api/client'
import { Problem } from '../api/problem'
import { EMPTY, type Content, type Report } from './model'

/** Milliseconds after the last key. */
const QUIET = 1200
const HEARTBEAT = 60_000

export type Keeping = 'kept' | 'waiting' | 'keeping' | 'failed' | 'stale'

export interface Stale {
  by: string
  at: string
  changes: number
  content: Content | null
}

export interface Editing {
  content: Content
  keeping: Keeping
  keptAt: Date | null
  stale: Stale | null
  /** Changes a part of the content. */
  put: (part: Partial<Content>) => void
  /** Waits until everything is on the server; gives the count of changes to act upon. Throws where it cannot be kept. */
  settle: () => Promise<number>
  /** The server's count of changes, after something else was done. */
  seen: (changes: number) => void
  /** Of two that were written at once: what stands on the server, or what was typed here. */
  take: (which: 'theirs' | 'mine') => void
  again: () => void
}

export function useEditing(report: Report, editable: boolean): Editing {
  const [content, setContent] = useState<Content>(() => ({ ...EMPTY, ...report.content }))
  const [keeping, setKeeping] = useState<Keeping>('kept')
  const [keptAt, setKeptAt] = useState<Date | null>(null)
  const [stale, setStale] = useState<Stale | null>(null)
  const now = useRef(content)
  const changes = useRef(report.changes)
  const dirty = useRef(false)
  const under = useRef<Promise<void> | null>(null)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)

  // somebody's return, or one's own other window: where nothing was typed here, what the server has is shown
  useEffect(() => {
    if (dirty.current || under.current || report.changes <= changes.current) return
    changes.current = report.changes
    now.current = { ...EMPTY, ...report.content }
    setContent(now.current)
  }, [report])

  const keep = useCallback(async (): Promise<void> => {
    clearTimeout(timer.current)
    while (under.current) await under.current
    if (!dirty.current) return
    const work = async () => {
      dirty.current = false
      setKeeping('keeping')
      try {
        const body = { changes: changes.current, content: now.current }
        const answer = await data(api.PUT('/reports/{report}/scratch', { params: { path: { report: report.id } }, body }))
        changes.current = answer.changes
        setKeptAt(new Date())
        setKeeping(dirty.current ? 'waiting' : 'kept')
      } catch (error) {
        dirty.current = true
        if (error instanceof Problem && error.code === 'stale') {
          const told = error.body as unknown as { changes: number; changed_by: string; changed_at: string; content: Content | null }
          setStale({ by: told.changed_by, at: told.changed_at, changes: told.changes, content: told.content })
          setKeeping('stale')
        } else {
          setKeeping('failed')
          timer.current = setTimeout(() => void keep().catch(() => {}), 10_000)
        }
        throw error
      } finally {
        under.current = null
      }
    }
    under.current = work()
    await under.current
  }, [report.id])

  const put = useCallback(
    (part: Partial<Content>) => {
      now.current = { ...now.current, ...part }
      setContent(now.current)
      dirty.current = true
      setKeeping((before) => (before === 'stale' ? before : 'waiting'))
      clearTimeout(timer.current)
      timer.current = setTimeout(() => void keep().catch(() => {}), QUIET)
    },
    [keep],
  )

  useEffect(() => {
    if (!editable) return
    const beat = setInterval(() => {
      void api.POST('/reports/{report}/heartbeat', { params: { path: { report: report.id } } }).catch(() => {})
    }, HEARTBEAT)
    return () => clearInterval(beat)
  }, [editable, report.id])

  // whoever leaves takes nothing along that is not kept
  useEffect(() => {
    const leaving = (event: BeforeUnloadEvent) => {
      if (dirty.current || under.current) event.preventDefault()
    }
    window.addEventListener('beforeunload', leaving)
    return () => {
      window.removeEventListener('beforeunload', leaving)
      void keep().catch(() => {})
    }
  }, [keep])

  return {
    content,
    keeping,
    keptAt,
    stale,
    put,
    settle: async () => {
      await keep()
      return changes.current
    },
    seen: (count) => (changes.current = count),
    take: (which) => {
      if (!stale) return
      changes.current = stale.changes
      setStale(null)
      if (which === 'theirs') {
        dirty.current = false
        now.current = { ...EMPTY, ...stale.content }
        setContent(now.current)
        setKeeping('kept')
      } else {
        dirty.current = true
        void keep().catch(() => {})
      }
    },
    again: () => void keep().catch(() => {}),
  }
}
