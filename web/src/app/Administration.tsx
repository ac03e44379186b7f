import { Center, Loader, Select } from '@mantine/core'
import { Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, Redirect, Route, Switch, useLocation } from 'wouter'

import { useMay } from '../access/session'
import classes from './Administration.module.css'
import { Boundary } from './errors'
import { NotFound } from './NotFound'
import { sections } from './sections'

/** Where those in charge work: the list of their pages, and one of them. */
export default function Administration() {
  const { t } = useTranslation()
  const may = useMay()
  const [location, navigate] = useLocation()
  const mine = sections.filter((one) => one.needs.some((action) => may(action)))
  const first = mine[0]
  if (!first) return <NotFound />
  const here = mine.find((one) => location.startsWith(one.path))
  return (
    <div className={classes.frame}>
      <nav className={classes.side} aria-label={t('app.nav.administration')}>
        {mine.map((one) => (
          <Link
            key={one.path}
            href={one.path}
            className={classes.link}
            data-active={one === here || undefined}
            aria-current={one === here ? 'page' : undefined}
          >
            <one.icon size={16} stroke={1.6} />
            {t(`admin.sections.${one.word}`)}
          </Link>
        ))}
      </nav>
      <div className={classes.choose}>
        <Select
          aria-label={t('app.nav.administration')}
          data={mine.map((one) => ({ value: one.path, label: t(`admin.sections.${one.word}`) }))}
          value={here?.path ?? null}
          allowDeselect={false}
          onChange={(path) => path && navigate(path)}
        />
      </div>
      <div className={classes.page}>
        <Boundary key={here?.path}>
          <Suspense
            fallback={
              <Center h="100%">
                <Loader size="sm" />
              </Center>
            }
          >
            <Switch>
              <Route path="/admin">
                <Redirect to={first.path} replace />
              </Route>
              {mine.map((one) => (
                <Route key={one.path} path={one.path} component={one.page} />
              ))}
              <Route component={NotFound} />
            </Switch>
          </Suspense>
        </Boundary>
      </div>
    </div>
  )
}
