/** Keyboard shortcuts: what a page listens to is what its map shows. */

import { Group, Kbd, Modal, Stack, Text } from '@mantine/core'
import { createContext, useContext, useEffect, useMemo, useReducer, useRef, useState, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

export interface Shortcut {
  /** As KeyboardEvent.key says, with "ctrl+", "shift+" or "alt+" before it: "?", "ctrl+s", "shift+ArrowUp". */
  keys: string
  words: string
  run: (event: KeyboardEvent) => void
  /** Also while somebody types. */
  inText?: boolean
}

interface Section {
  title: string
  shortcuts: Shortcut[]
}

const Shortcuts = createContext<{
  add: (id: symbol, section: Section) => void
  remove: (id: symbol) => void
  show: () => void
} | null>(null)

const NAMES: Record<string, string> = {
  ArrowUp: '↑',
  ArrowDown: '↓',
  ArrowLeft: '←',
  ArrowRight: '→',
  ' ': 'Space',
  Escape: 'Esc',
}

function typed(event: KeyboardEvent): string {
  const named = event.key.length > 1
  // shift is part of what a character is
  const before = [event.ctrlKey || event.metaKey ? 'ctrl+' : '', event.altKey ? 'alt+' : '', event.shiftKey && named ? 'shift+' : '']
  return before.join('') + (named ? event.key : event.key.toLowerCase())
}

function inText(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
}

/** What is over a page takes its keys: a window that asks, a menu. Details in a drawer are the page itself. */
const COVERS = '[role="dialog"][aria-modal="true"]:not(.mantine-Drawer-content), [role="menu"]'

export function ShortcutProvider({ children }: { children: ReactNode }) {
  const sections = useRef(new Map<symbol, Section>())
  const [shown, setShown] = useState(false)
  const seen = useRef(false)
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  const { t } = useTranslation()

  const value = useMemo(
    () => ({
      add: (id: symbol, section: Section) => {
        const before = sections.current.get(id)?.shortcuts.length
        sections.current.set(id, section)
        // a page that comes while its map is open
        if (seen.current && before !== section.shortcuts.length) redraw()
      },
      remove: (id: symbol) => {
        if (sections.current.delete(id) && seen.current) redraw()
      },
      show: () => setShown((seen.current = true)),
    }),
    [],
  )
  const close = () => setShown((seen.current = false))

  useEffect(() => {
    // asked before the window that is over the page hears of the key and closes
    let covered = false
    const look = () => (covered = document.querySelector(COVERS) !== null)
    const listen = (event: KeyboardEvent) => {
      if (covered) return
      // an image takes every key for its tools as soon as something was drawn on it: there they are still ours
      const onImage = event.target instanceof Element && event.target.closest('[data-viewport-uid]') !== null
      if (event.isComposing || (event.defaultPrevented && !onImage)) return
      const keys = typed(event)
      const writing = inText(event.target)
      // what came onto the page last hears it first: a dialog before its page
      for (const section of [...sections.current.values()].reverse()) {
        const found = section.shortcuts.find((one) => one.keys === keys && (one.inText || !writing))
        if (found) {
          event.preventDefault()
          found.run(event)
          return
        }
      }
    }
    window.addEventListener('keydown', look, { capture: true })
    window.addEventListener('keydown', listen)
    return () => {
      window.removeEventListener('keydown', look, { capture: true })
      window.removeEventListener('keydown', listen)
    }
  }, [])

  return (
    <Shortcuts value={value}>
      {children}
      <Modal opened={shown} onClose={close} title={t('app.shortcuts.title')} size={720}>
        <Stack gap="lg">
          {(shown ? [...sections.current.values()] : [])
            .filter((section) => section.shortcuts.length > 0)
            .map((section) => (
              <Stack key={section.title} gap={4}>
                <Text size="xs" c="dimmed" fw={600}>
                  {section.title}
                </Text>
                <div style={{ columns: '17rem', columnGap: '2.5rem' }}>
                  {section.shortcuts.map((one) => (
                    <Group key={one.keys} justify="space-between" wrap="nowrap" py={2} style={{ breakInside: 'avoid' }}>
                      <Text size="sm">{one.words}</Text>
                      <Keys keys={one.keys} />
                    </Group>
                  ))}
                </div>
              </Stack>
            ))}
        </Stack>
      </Modal>
    </Shortcuts>
  )
}

export function Keys({ keys }: { keys: string }) {
  const parts = keys === '+' ? ['+'] : keys.split('+').filter(Boolean)
  return (
    <Group gap={3} wrap="nowrap">
      {parts.map((part) => (
        <Kbd key={part} size="xs">
          {NAMES[part] ?? (part.length === 1 ? part.toUpperCase() : part[0]!.toUpperCase() + part.slice(1))}
        </Kbd>
      ))}
    </Group>
  )
}

/** Listens to shortcuts while the calling component is on the page. */
export function useShortcuts(title: string, shortcuts: Shortcut[], active = true): void {
  const context = useContext(Shortcuts)
  const id = useRef(Symbol(title))
  // every time anew: what they do closes over what the component knows now
  useEffect(() => {
    if (active) context?.add(id.current, { title, shortcuts })
    else context?.remove(id.current)
  })
  useEffect(() => {
    const mine = id.current
    return () => context?.remove(mine)
  }, [context])
}

export function useShortcutMap(): () => void {
  return useContext(Shortcuts)?.show ?? (() => {})
}
