/** Buttons of the toolbar, of which there are many: plain ones, with one hint for all of them. */
import type { Icon } from '@tabler/icons-react'
import { useEffect, useRef, useState, type ReactNode } from 'react'

import classes from './Viewer.module.css'

/** How long one points at a button before its hint is shown; milliseconds. */
const PATIENCE = 350

interface ButtonProps {
  label: string
  hint?: string
  pressed?: boolean
  disabled?: boolean
  onClick: () => void
  icon: Icon
}

export function ToolButton({ label, hint, pressed, disabled, onClick, icon: Drawn }: ButtonProps) {
  return (
    <button
      type="button"
      className={classes.tool}
      data-hint={hint ? `${label} (${hintOf(hint)})` : label}
      aria-label={label}
      aria-pressed={pressed}
      disabled={disabled}
      onClick={onClick}
    >
      <Drawn size={18} stroke={1.6} />
    </button>
  )
}

/** A key as it is written. */
export const hintOf = (keys: string) => (keys.length === 1 ? keys.toUpperCase() : keys.replace(/(^|\+)(\w)/g, (_, before: string, letter: string) => before + letter.toUpperCase()))

interface Shown {
  words: string
  left: number
  top: number
}

/** Shows the hint of what is pointed at, or focused by the keyboard, within it. */
export function Hints({ children, ...more }: { children: ReactNode; className: string; 'aria-label': string }) {
  const [shown, show] = useState<Shown | null>(null)
  const timer = useRef(0)
  const hide = () => {
    clearTimeout(timer.current)
    show(null)
  }
  useEffect(() => () => clearTimeout(timer.current), [])
  const about = (target: EventTarget, wait: number) => {
    hide()
    const found = (target as Element).closest<HTMLElement>('[data-hint]')
    if (!found) return
    timer.current = window.setTimeout(() => {
      if (!found.isConnected) return
      const { left, width, bottom } = found.getBoundingClientRect()
      show({ words: found.dataset.hint!, left: left + width / 2, top: bottom + 6 })
    }, wait)
  }
  return (
    <div
      {...more}
      role="toolbar"
      onPointerOver={(event) => event.pointerType === 'mouse' && about(event.target, PATIENCE)}
      onPointerLeave={hide}
      onPointerDown={hide}
      onFocus={(event) => event.target.matches(':focus-visible') && about(event.target, 0)}
      onBlur={hide}
      onKeyDown={hide}
    >
      {children}
      {shown && (
        <span className={classes.hint} style={{ left: `clamp(4rem, ${shown.left}px, calc(100vw - 6rem))`, top: shown.top }} aria-hidden>
          {shown.words}
        </span>
      )}
    </div>
  )
}
