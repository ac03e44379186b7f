/** The pages of who is who, with how much waits on each. */
import { Badge } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { Link, useLocation } from 'wouter'

import { useMay } from '../access/session'
import { api, data } from '../api/client'
import classes from './patients.module.css'

export const useGreen = (enabled: boolean) =>
  useQuery({ queryKey: ['green'], queryFn: () => data(api.GET('/green-channel')), enabled, refetchInterval: 15_000 })

export const useTray = (enabled: boolean) =>
  useQuery({ queryKey: ['unmatched'], queryFn: () => data(api.GET('/unmatched')), enabled, refetchInterval: 15_000 })

export function Tabs() {
  const { t } = useTranslation()
  const may = useMay()
  const [at] = useLocation()
  const green = useGreen(may('match'))
  const tray = useTray(may('match-images'))
  const tabs = [
    { path: '/persons', word: t('patients.persons'), shown: may('persons'), count: 0 },
    { path: '/persons/green', word: t('patients.green'), shown: may('match'), count: green.data?.waiting.length ?? 0 },
    { path: '/persons/unmatched', word: t('patients.unmatched'), shown: may('match-images'), count: tray.data?.waiting.length ?? 0 },
  ]
  return (
    <nav className={classes.tabs} aria-label={t('patients.tabs')}>
      {tabs
        .filter((one) => one.shown)
        .map((one) => (
          <Link key={one.path} href={one.path} className={classes.tab} aria-current={at === one.path || (one.path === '/persons' && /^\/persons\/\d+$/.test(at)) ? 'page' : undefined}>
            {one.word}
            {one.count > 0 && (
              <Badge size="xs" variant="light" color="yellow" radius="sm">
                {one.count}
              </Badge>
            )}
          </Link>
        ))}
    </nav>
  )
}
