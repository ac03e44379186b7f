import { ActionIcon, Badge, TextInput, UnstyledButton } from '@mantine/core'
import { IconMapPin, IconX } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'

import type { components } from '../api/schema'
import { bridge, type Target } from '../viewing/bridge'
import classes from './Workplace.module.css'

type Image = components['schemas']['ReportImage']
type Link = components['schemas']['ReportLink']

/** Where the server draws a picture of an image in its window. */
function address(one: Image): string {
  const query = new URLSearchParams({ viewport: '320,320' })
  if (one.window) query.set('window', `${one.window.center},${one.window.width},linear`)
  return `/dicom-web/studies/${one.study_uid}/series/${one.series_uid}/instances/${one.sop_uid}/frames/${one.frame}/rendered?${query}`
}

/** Leads the viewer to an image: the one that is open, in this window or another one, else a new one. */
function useGo() {
  const [, navigate] = useLocation()
  return async (target: Target) => {
    if (await bridge.current()) bridge.go(target)
    else navigate(`/view/${target.study_uid}`)
  }
}

/** The pictures of a report; a click leads the viewer there. `set` absent: only to be looked at. */
export function Pictures({ images, set, empty }: { images: Image[]; set?: (images: Image[]) => void; empty?: ReactNode }) {
  const { t } = useTranslation()
  const go = useGo()
  if (images.length === 0 && !empty) return null
  return (
    <div className={classes.section}>
      <div className={classes.label}>
        {t('reporting.pictures')}
        {images.length === 0 && empty}
      </div>
      <div className={classes.pictures}>
        {images.map((one, at) => (
          <figure key={`${one.sop_uid}/${one.frame}`} className={classes.picture}>
            <UnstyledButton w="100%" onClick={() => void go(one)} aria-label={`${t('reporting.goThere')} ${one.caption || at + 1}`}>
              <img src={address(one)} alt={one.caption || t('reporting.picture', { number: at + 1 })} loading="lazy" />
            </UnstyledButton>
            {set ? (
              <>
                <ActionIcon
                  className={classes.remove}
                  size="xs"
                  color="dark"
                  variant="filled"
                  aria-label={t('reporting.removePicture')}
                  onClick={() => set(images.filter((_, index) => index !== at))}
                >
                  <IconX size={12} />
                </ActionIcon>
                <TextInput
                  mt={2}
                  aria-label={t('reporting.caption')}
                  placeholder={t('reporting.caption')}
                  maxLength={400}
                  value={one.caption}
                  onChange={(event) => set(images.map((each, index) => (index === at ? { ...each, caption: event.currentTarget.value } : each)))}
                />
              </>
            ) : (
              <figcaption className={classes.dim}>{one.caption}</figcaption>
            )}
          </figure>
        ))}
      </div>
    </div>
  )
}

/** Words of the report that lead to an image. */
export function Links({ links, remove }: { links: Link[]; remove?: (at: number) => void }) {
  const { t } = useTranslation()
  const go = useGo()
  if (links.length === 0) return null
  return (
    <div className={classes.section}>
      <div className={classes.label}>{t('reporting.links')}</div>
      <div className={classes.links}>
        {links.map((one, at) => (
          <Badge
            key={at}
            variant="light"
            radius="xs"
            tt="none"
            leftSection={<IconMapPin size={11} />}
            rightSection={
              remove && (
                <ActionIcon size={14} variant="transparent" color="gray" aria-label={t('reporting.removeLink')} onClick={() => remove(at)}>
                  <IconX size={11} />
                </ActionIcon>
              )
            }
          >
            <UnstyledButton fz="xs" onClick={() => void go(one)} aria-label={`${t('reporting.goThere')}: ${one.text}`}>
              {one.text || `${at + 1}`}
            </UnstyledButton>
          </Badge>
        ))}
      </div>
    </div>
  )
}
