import { useTranslation } from 'react-i18next'

import { ageAt, clock, day, names } from '../app/format'
import type { Edges } from './engine/orientation'
import { numbers, text, type DicomJson, type Stack } from './engine/series'
import type { Shown } from './engine/viewport'
import classes from './Viewer.module.css'

/** Patient, exam, place, window: what has to be beside every image; letters at the edges and a scale. */
export function Corners({ shown, stack }: { shown: Shown; stack: Stack }) {
  const { t } = useTranslation()
  const json = shown.instance.json
  const ratio = numbers(json, '00282112').at(-1)
  const lossy = text(json, '00282110') === '01'
  const thickness = numbers(json, '00180050')[0]
  const place = numbers(json, '00201041')[0]
  return (
    <div className={classes.corners} aria-hidden>
      <Patient json={json} />
      <div className={classes.bottomLeft}>
        <span>
          {stack.modality} {stack.number && `${t('viewing.series')} ${stack.number}`} {stack.description}
        </span>
        <span>
          {t('viewing.image')} {shown.image}/{shown.images}
          {thickness !== undefined && Number.isFinite(thickness) && `  ${thickness.toFixed(1)} mm`}
          {place !== undefined && Number.isFinite(place) && `  ${place.toFixed(1)}`}
        </span>
      </div>
      <div className={classes.bottomRight}>
        {lossy && <span className={classes.lossy}>{ratio ? t('viewing.lossyRatio', { ratio: ratio.toFixed(0) }) : t('viewing.lossy')}</span>}
        {shown.picture && <span className={classes.lossy}>{t('viewing.picture')}</span>}
        <span>{shown.zoom >= 0.01 && `${t('viewing.zoom')} ${Math.round(shown.zoom * 100)} %`}</span>
        {shown.center !== null && shown.width !== null && (
          <span>
            {t('viewing.window')} {Math.round(shown.width)} / {Math.round(shown.center)} {shown.tones && `(${shown.tones})`}
          </span>
        )}
      </div>
      {shown.edges && <EdgeLetters edges={shown.edges} />}
      {shown.mmPerPixel !== null && <Scale mm={shown.mmPerPixel} source={shown.spacing.source} />}
    </div>
  )
}

/** Whose image it is and from when, in the upper corners. */
function Patient({ json }: { json: DicomJson }) {
  const groups = json['00100010']?.Value?.[0] as { Alphabetic?: string; Ideographic?: string } | undefined
  const [first, second] = names({ name: groups?.Alphabetic ?? '', name_ideographic: groups?.Ideographic ?? '' })
  return (
    <>
      <div className={classes.topLeft}>
        <b>{first || text(json, '00100020')}</b>
        {second && <span>{second}</span>}
        <span>
          {[text(json, '00100020'), text(json, '00100040'), ageAt(text(json, '00101010'), text(json, '00100030'), text(json, '00080020')), day(text(json, '00100030'))].filter(Boolean).join('  ')}
        </span>
      </div>
      <div className={classes.topRight}>
        <span>{text(json, '00080080')}</span>
        <span>
          {day(text(json, '00080020'))} {clock(text(json, '00080030'))}
        </span>
        <span>{text(json, '00081030')}</span>
      </div>
    </>
  )
}

Corners.Patient = Patient

export function EdgeLetters({ edges }: { edges: Edges }) {
  return (
    <>
      <b className={classes.edgeTop}>{edges.top}</b>
      <b className={classes.edgeRight}>{edges.right}</b>
      <b className={classes.edgeBottom}>{edges.bottom}</b>
      <b className={classes.edgeLeft}>{edges.left}</b>
    </>
  )
}

/** A bar of a round length, about a hundred screen pixels. */
export function Scale({ mm, source }: { mm: number; source: Shown['spacing']['source'] }) {
  const { t } = useTranslation()
  const lengths = [1, 2, 5, 10, 20, 50, 100, 200]
  const length = lengths.findLast((one) => one / mm <= 140) ?? 1
  const width = length / mm
  if (!(width > 4 && width < 400)) return null
  return (
    <div className={classes.scale}>
      <span style={{ width }} />
      {length >= 10 ? `${length / 10} cm` : `${length} mm`}
      {source !== 'patient' && ` (${t(`viewing.spacing.${source}`)})`}
    </div>
  )
}
