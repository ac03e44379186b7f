/** Over a viewport whose next image is not here yet: what can be seen of it so far, or nothing, but never the one before. */
import { useEffect, useReducer, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { drawEarly, earlyOf, whenEarly } from './engine/early'
import type { StackView } from './engine/viewport'
import classes from './Viewer.module.css'

/** Before that, the image before stays, with its own words; milliseconds. */
const PATIENCE = 150

/** The image that is waited for, from 1, once it has taken some time; null else. */
export function useAwaited(view: StackView | null): number | null {
  const awaited = view?.awaited() ?? null
  const [late, setLate] = useState(false)
  const drawn = view?.drawn()
  useEffect(() => {
    setLate(false)
    if (awaited === null) return
    const timer = setTimeout(() => setLate(true), PATIENCE)
    return () => clearTimeout(timer)
    // while one scrolls on and nothing new is drawn, it is the same waiting
  }, [awaited === null, drawn])
  return late ? awaited : null
}

export function Awaited({ view, image }: { view: StackView; image: number }) {
  const { t } = useTranslation()
  const canvas = useRef<HTMLCanvasElement>(null)
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  useEffect(() => whenEarly(redraw), [])
  const early = earlyOf(view.stack.imageIds[image - 1]!)
  const { center, width, invert } = view.shown(image) ?? {}
  useEffect(() => {
    if (!early || !canvas.current || center == null || width == null) return
    drawEarly(early, canvas.current, { center, width, invert: Boolean(invert) })
  }, [early, center, width, invert])
  return (
    <div className={classes.awaited} data-awaited={image} data-early={early ? true : undefined}>
      {early && <canvas ref={canvas} style={{ transform: view.matrix(early.columns, early.rows) }} aria-hidden />}
      <span className={classes.previewMark}>{early ? t('viewing.preview') : t('app.loading')}</span>
    </div>
  )
}
