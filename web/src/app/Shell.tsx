import { ActionIcon, Badge, Drawer, Menu, NavLink, Text, Tooltip, UnstyledButton, useMantineColorScheme, VisuallyHidden } from '@mantine/core'
import { useDisclosure, useMediaQuery } from '@mantine/hooks'
import {
  IconBell,
  IconChevronDown,
  IconKeyboard,
  IconLanguage,
  IconLogout,
  IconMenu2,
  IconMoon,
  IconPassword,
  IconShieldLock,
  IconSun,
  IconZoomQuestion,
} from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { lazy, Suspense, useState, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useLocation } from 'wouter'

import { ChangePassword } from '../access/ChangePassword'
import { useMay, useSession } from '../access/session'
import { api, data } from '../api/client'
import { Problem } from '../api/problem'
import { language, LANGUAGES, setLanguage, type Language } from '../i18n'
import { Alarms } from './Alarms'
import { showError } from './errors'
import { isFor, places } from './places'
import classes from './Shell.module.css'
import { useShortcutMap, useShortcuts } from './shortcuts'

const Why = lazy(() => import('../archive/why/Why').then((one) => ({ default: one.Why })))

export function Shell({ children }: { children: ReactNode }) {
  const { t } = useTranslation()
  const session = useSession()
  const ways = useQuery({ queryKey: ['ways'], queryFn: () => data(api.GET('/session/ways')), staleTime: 600_000 })
  const [drawer, { open, close }] = useDisclosure(false)
  const map = useShortcutMap()
  const [, navigate] = useLocation()

  useShortcuts(t('app.shortcuts.general'), [
    { keys: '?', words: t('app.shortcuts.help'), run: map },
    { keys: 'alt+s', words: t('app.shortcuts.studies'), run: () => navigate('/studies') },
    {
      keys: 'alt+l',
      words: t('app.shortcuts.language'),
      run: () => void setLanguage(language() === 'en' ? 'zh' : 'en'),
    },
  ])

  return (
    <div className={classes.shell}>
      <header className={classes.bar}>
        <a className={classes.skip} href="#page">
          {t('app.actions.open')}
        </a>
        <ActionIcon variant="subtle" color="gray" hiddenFrom="sm" onClick={open} aria-label={t('app.nav.more')}>
          <IconMenu2 size={18} />
        </ActionIcon>
        <Link href="/" className={classes.brand}>
          <img src="/favicon.svg" alt="" />
          <span>{t('app.name')}</span>
        </Link>
        <Navigation />
        <div className={classes.end}>
          <Alarms />
          <Tooltip label={t('app.menu.shortcuts')}>
            <ActionIcon variant="subtle" color="gray" onClick={map} aria-label={t('app.menu.shortcuts')} visibleFrom="sm">
              <IconKeyboard size={18} />
            </ActionIcon>
          </Tooltip>
          <UserMenu />
        </div>
      </header>
      {ways.data?.demonstration ? (
        <div className={classes.notice} role="status">
          {t('access.demonstration.banner')}
        </div>
      ) : session.first_account ? (
        <div className={classes.notice} role="status">
          <IconBell size={12} style={{ verticalAlign: '-1px', marginRight: 6 }} />
          {t('app.firstAccount')}
        </div>
      ) : (
        <div />
      )}
      <main id="page" className={classes.page}>
        {children}
      </main>
      <Drawer opened={drawer} onClose={close} size={260} title={t('app.name')}>
        <DrawerLinks done={close} />
      </Drawer>
    </div>
  )
}

function usePlaces() {
  const may = useMay()
  return places.filter((place) => isFor(place, may))
}

function Navigation() {
  const { t } = useTranslation()
  const [location] = useLocation()
  return (
    <nav className={classes.nav} aria-label={t('app.name')}>
      {usePlaces().map((place) => (
        <Link
          key={place.path}
          href={place.path}
          className={classes.link}
          data-active={location.startsWith(place.path) || undefined}
          aria-current={location.startsWith(place.path) ? 'page' : undefined}
        >
          <place.icon size={15} stroke={1.6} />
          {t(`app.nav.${place.word}`)}
          {place.word === 'tasks' && <Urgent />}
        </Link>
      ))}
    </nav>
  )
}

/** How many tasks cannot wait: whoever works elsewhere sees it too. */
function Urgent() {
  const { t } = useTranslation()
  const query = useQuery({ queryKey: ['tasks', 'urgent'], queryFn: () => data(api.GET('/tasks/urgent')), refetchInterval: (at) => (at.state.error instanceof Problem && at.state.error.status === 403 ? false : 30_000), retry: false })
  const count = query.data?.urgent ?? 0
  if (count === 0) return null
  return (
    <Badge size="xs" radius="xs" color="red" variant="filled" title={t('app.urgentTasks', { count })}>
      <span aria-hidden>{count}</span>
      <VisuallyHidden>{t('app.urgentTasks', { count })}</VisuallyHidden>
    </Badge>
  )
}

function DrawerLinks({ done }: { done: () => void }) {
  const { t } = useTranslation()
  const [location] = useLocation()
  return usePlaces().map((place) => (
    <NavLink
      key={place.path}
      component={Link}
      href={place.path}
      label={t(`app.nav.${place.word}`)}
      leftSection={<place.icon size={18} stroke={1.6} />}
      active={location.startsWith(place.path)}
      rightSection={place.word === 'tasks' && <Urgent />}
      onClick={done}
    />
  ))
}

function UserMenu() {
  const { t } = useTranslation()
  const session = useSession()
  const client = useQueryClient()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const [changing, setChanging] = useState(false)
  const [wondering, setWondering] = useState(false)
  const narrow = useMediaQuery('(max-width: 48em)')
  const map = useShortcutMap()
  const name = session.account.display_name || session.account.name

  const signOut = async () => {
    try {
      await api.DELETE('/session')
    } catch (error) {
      showError(error)
      return
    }
    // nothing that this person saw stays in memory for the next one
    client.clear()
    window.location.assign('/')
  }

  return (
    <>
      <Menu position="bottom-end" width={230} shadow="md">
        <Menu.Target>
          <UnstyledButton className={classes.link} aria-label={`${t('app.menu.account')}: ${name}`}>
            <Text size="sm" maw={narrow ? 110 : 200} truncate>
              {name}
            </Text>
            <IconChevronDown size={14} />
          </UnstyledButton>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>{t('app.menu.language')}</Menu.Label>
          {Object.entries(LANGUAGES).map(([code, label]) => (
            <Menu.Item
              key={code}
              lang={code}
              leftSection={<IconLanguage size={15} />}
              rightSection={language() === code ? '✓' : undefined}
              onClick={() => void setLanguage(code as Language)}
            >
              {label}
            </Menu.Item>
          ))}
          <Menu.Label>{t('app.menu.appearance')}</Menu.Label>
          <Menu.Item
            leftSection={colorScheme === 'dark' ? <IconSun size={15} /> : <IconMoon size={15} />}
            onClick={() => setColorScheme(colorScheme === 'dark' ? 'light' : 'dark')}
          >
            {colorScheme === 'dark' ? t('app.menu.light') : t('app.menu.dark')}
          </Menu.Item>
          <Menu.Divider />
          <Menu.Item leftSection={<IconZoomQuestion size={15} />} onClick={() => setWondering(true)}>
            {t('why.title')}
          </Menu.Item>
          <Menu.Item leftSection={<IconKeyboard size={15} />} onClick={map}>
            {t('app.menu.shortcuts')}
          </Menu.Item>
          <Menu.Item component={Link} href="/account" leftSection={<IconShieldLock size={15} />}>
            {t('app.menu.security')}
          </Menu.Item>
          <Menu.Item leftSection={<IconPassword size={15} />} onClick={() => setChanging(true)}>
            {t('app.menu.password')}
          </Menu.Item>
          <Menu.Item leftSection={<IconLogout size={15} />} onClick={() => void signOut()}>
            {t('app.menu.signOut')}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {wondering && (
        <Suspense>
          <Why close={() => setWondering(false)} />
        </Suspense>
      )}
      {changing && <ChangePassword close={() => setChanging(false)} />}
    </>
  )
}
