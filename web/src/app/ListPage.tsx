/** A page of those in charge: a list, and beside it what is chosen in it. */
import { CloseButton, Drawer, Loader } from '@mantine/core'
import { useMediaQuery } from '@mantine/hooks'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { ErrorNote } from './errors'
import { Grid, type Column } from './Grid'
import classes from './ListPage.module.css'
import { usePreference } from './preferences'
import { useShortcuts } from './shortcuts'

interface Props<Row> {
  title: string
  /** Under which the widths of the columns are kept. */
  name: string
  tools?: ReactNode
  /** How many there are, in words. */
  found?: ReactNode
  columns: Column<Row>[]
  rows: readonly Row[]
  rowId: (row: Row) => string
  rowHeight?: number
  query: { isPending: boolean; isError: boolean; error: unknown; refetch: () => unknown }
  empty: ReactNode
  chosen: string | null
  choose: (id: string | null) => void
  /** Of what is chosen. */
  details?: ReactNode
  detailsTitle?: ReactNode
  onEnd?: () => void
}

export function ListPage<Row>(props: Props<Row>) {
  const { t } = useTranslation()
  const { query, chosen, choose } = props
  const [widths, setWidths] = usePreference<Record<string, number>>(`columns.${props.name}`, {})
  const narrow = useMediaQuery('(max-width: 62em)')
  const shown = chosen !== null && Boolean(props.details)

  useShortcuts(
    props.title,
    [{ keys: 'Escape', words: t('admin.closeDetails'), run: () => choose(null) }],
    shown,
  )

  const head = (
    <div className={classes.detailsHead}>
      <h2 className={classes.detailsTitle}>{props.detailsTitle}</h2>
      {!narrow && <CloseButton size="sm" onClick={() => choose(null)} aria-label={t('admin.closeDetails')} />}
    </div>
  )
  return (
    <div className={classes.page} data-details={(shown && !narrow) || undefined}>
      <div className={classes.head}>
        <h1 className={classes.title}>{props.title}</h1>
        {props.tools}
        <span className={classes.found} aria-live="polite">
          {props.found}
        </span>
      </div>
      <div className={classes.list}>
        {query.isError ? (
          <div style={{ padding: '0.75rem' }}>
            <ErrorNote error={query.error} again={() => void query.refetch()} />
          </div>
        ) : (
          <Grid
            label={props.title}
            columns={props.columns}
            rows={props.rows}
            rowId={props.rowId}
            rowHeight={props.rowHeight}
            selected={chosen === null ? undefined : new Set([chosen])}
            onSelect={(ids) => choose([...ids].at(-1) ?? null)}
            widths={widths}
            onWidths={setWidths}
            onEnd={props.onEnd}
            empty={query.isPending ? <Loader size="sm" /> : props.empty}
          />
        )}
      </div>
      {shown && !narrow && (
        <aside className={classes.details} aria-label={t('admin.details')}>
          {head}
          {props.details}
        </aside>
      )}
      {narrow && (
        <Drawer opened={shown} closeOnEscape={false} onClose={() => choose(null)} position="right" size="100%" title={t('admin.details')}>
          {head}
          {props.details}
        </Drawer>
      )}
    </div>
  )
}

/** Names and values; those without a value are left out. */
export function Facts({ facts }: { facts: [ReactNode, ReactNode][] }) {
  return (
    <dl className={classes.facts}>
      {facts
        .filter(([, value]) => value !== '' && value !== null && value !== undefined)
        .map(([name, value], at) => (
          // what they are called does not change while they are shown
          <div key={at} style={{ display: 'contents' }}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  )
}

export function Section({ title, action, children }: { title: string; action?: ReactNode; children: ReactNode }) {
  return (
    <section className={classes.section}>
      <div className={classes.sectionHead}>
        <h3 className={classes.sectionTitle}>{title}</h3>
        {action}
      </div>
      {children}
    </section>
  )
}

export function Item({ children, action }: { children: ReactNode; action?: ReactNode }) {
  return (
    <div className={classes.item}>
      <div style={{ minWidth: 0 }}>{children}</div>
      {action && <div style={{ flex: 'none' }}>{action}</div>}
    </div>
  )
}

export function Dim({ children }: { children: ReactNode }) {
  return <div className={classes.dim}>{children}</div>
}

/** A coloured dot with its meaning beside it: colour alone says nothing to many. */
export function Dot({ how, children }: { how: 'good' | 'bad' | 'warn' | 'idle'; children: ReactNode }) {
  return (
    <span>
      <span className={classes[how]} aria-hidden />
      {children}
    </span>
  )
}
