import { ActionIcon, Button, Divider, Popover, Stack, Switch, Text, Tooltip, UnstyledButton } from '@mantine/core'
import { IconCheck, IconDeviceFloppy, IconLayoutGrid, IconSettings } from '@tabler/icons-react'
import { lazy, Suspense, useState } from 'react'
import { useTranslation } from 'react-i18next'

import type { Stack as Images } from '../engine/series'
import { MOST_COLUMNS, MOST_ROWS, type Model, type Viewing } from '../model'
import { GRID_KEYS } from '../useKeys'
import classes from './Hanging.module.css'
import type { Hanging } from './useHanging'

const SaveLayout = lazy(() => import('./SaveLayout'))
const Layouts = lazy(() => import('./Layouts'))

interface Props {
  viewing: Viewing
  model: Model
  stacks: Images[]
  study: string
  hanging: Hanging
}

/** Rows and columns, layouts for exams like this, and what is done with them. */
export function LayoutMenu({ viewing, model, stacks, study, hanging }: Props) {
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  const [over, setOver] = useState<[number, number]>([0, 0])
  const [window, setWindow] = useState<'save' | 'all' | null>(null)
  const close = () => setOpen(false)
  const show = (what: 'save' | 'all') => {
    close()
    setWindow(what)
  }
  const grid = (rows: number, columns: number) => {
    viewing.layout(rows, columns)
    viewing.fill(stacks)
    hanging.remember(rows, columns)
    close()
  }
  const keyOf = (rows: number, columns: number) => Object.entries(GRID_KEYS).find(([, of]) => of[0] === rows && of[1] === columns)?.[0]
  return (
    <>
      <Popover opened={open} onChange={setOpen} position="bottom-start" shadow="md" trapFocus>
        <Popover.Target>
          <Tooltip label={t('viewing.layout')} disabled={open}>
            <ActionIcon variant="subtle" color="gray" size={32} aria-label={t('viewing.layout')} aria-expanded={open} onClick={() => setOpen(!open)} style={{ flex: 'none' }}>
              <IconLayoutGrid size={18} stroke={1.6} />
            </ActionIcon>
          </Tooltip>
        </Popover.Target>
        <Popover.Dropdown p="xs">
          <Stack gap="xs" w={280}>
            <div className={classes.grid} role="group" aria-label={t('viewing.layout')} onMouseLeave={() => setOver([0, 0])}>
              {Array.from({ length: MOST_ROWS * MOST_COLUMNS }, (_, at) => {
                const [row, column] = [Math.floor(at / MOST_COLUMNS) + 1, (at % MOST_COLUMNS) + 1]
                return (
                  <UnstyledButton
                    key={at}
                    className={classes.cell}
                    aria-label={`${row} × ${column}`}
                    data-autofocus={(row === model.rows && column === model.columns) || undefined}
                    aria-pressed={row === model.rows && column === model.columns}
                    data-in={(row <= over[0] && column <= over[1]) || undefined}
                    data-now={(over[0] === 0 && row <= model.rows && column <= model.columns) || undefined}
                    onMouseEnter={() => setOver([row, column])}
                    onFocus={() => setOver([row, column])}
                    onClick={() => grid(row, column)}
                  />
                )
              })}
            </div>
            <Text size="xs" c="dimmed" ta="center" className={classes.said}>
              {over[0] ? `${over[0]} × ${over[1]}` : `${model.rows} × ${model.columns}`}
              {(over[0] ? keyOf(...over) : keyOf(model.rows, model.columns))?.replace('alt+', '  Alt+') ?? ''}
            </Text>
            <Divider />
            {hanging.layouts.length > 0 && (
              <Text size="xs" c="dimmed" fw={600}>
                {t('hanging.forThis')}
              </Text>
            )}
            {hanging.layouts.slice(0, 8).map((one) => (
              <UnstyledButton
                key={one.number}
                className={classes.choice}
                onClick={() => {
                  close()
                  hanging.apply(one)
                }}
              >
                <Text size="sm" truncate>
                  {one.name}
                </Text>
                <Text size="xs" c="dimmed">
                  {t(`hanging.owner.${one.owner}`)}
                </Text>
                {one.number === hanging.current ? <IconCheck size={14} aria-label={t('hanging.current')} /> : <span />}
              </UnstyledButton>
            ))}
            <Button variant="light" leftSection={<IconDeviceFloppy size={14} />} onClick={() => show('save')}>
              {t('hanging.save')}
            </Button>
            <Button variant="subtle" color="gray" leftSection={<IconSettings size={14} />} onClick={() => show('all')}>
              {t('hanging.manage')}
            </Button>
            <Divider />
            <Switch size="xs" label={t('hanging.beside')} checked={hanging.beside} onChange={(event) => hanging.setBeside(event.currentTarget.checked)} />
          </Stack>
        </Popover.Dropdown>
      </Popover>
      <Suspense fallback={null}>
        {window === 'save' && <SaveLayout model={model} study={study} hanging={hanging} viewing={viewing} close={() => setWindow(null)} />}
        {window === 'all' && <Layouts study={study} close={() => setWindow(null)} />}
      </Suspense>
    </>
  )
}
