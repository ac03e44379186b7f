/** A dense table that stays quick however many rows there are: only those in sight are on the page. */
import { IconArrowDown, IconArrowUp } from '@tabler/icons-react'
import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useId, useRef, useState, type KeyboardEvent, type MouseEvent, type PointerEvent, type ReactNode } from 'react'

import classes from './Grid.module.css'

export interface Column<Row> {
  id: string
  title: ReactNode
  /** Pixels. */
  width: number
  cell: (row: Row) => ReactNode
  /** What the server orders by; no arrow where absent. */
  order?: string
  /** Numbers stand at the right. */
  end?: boolean
}

export interface Order {
  by: string
  descending: boolean
}

interface Props<Row> {
  /** For screen readers. */
  label: string
  columns: Column<Row>[]
  rows: readonly Row[]
  rowId: (row: Row) => string
  /** How many there are in all, where the server knows it. */
  count?: number
  rowHeight?: number
  order?: Order
  onOrder?: (order: Order) => void
  /** Ids; the caller keeps them. */
  selected?: ReadonlySet<string>
  onSelect?: (ids: ReadonlySet<string>) => void
  onOpen?: (row: Row) => void
  /** The row that has the keyboard's attention. */
  onActive?: (row: Row) => void
  onMenu?: (row: Row, event: MouseEvent) => void
  /** The end of the rows is in sight: more are wanted. */
  onEnd?: () => void
  widths?: Readonly<Record<string, number>>
  onWidths?: (widths: Record<string, number>) => void
  /** Instead of rows where there are none. */
  empty?: ReactNode
  /** Takes the keyboard when it appears. */
  autoFocus?: boolean
}

const NONE: ReadonlySet<string> = new Set()
const NARROWEST = 36

export function Grid<Row>(props: Props<Row>) {
  const { columns, rows, rowId, rowHeight = 30, selected = NONE, order, onOrder, onEnd } = props
  const base = useId()
  const scroller = useRef<HTMLDivElement>(null)
  const [active, setActive] = useState(0)
  const anchor = useRef(0)
  const [dragged, setDragged] = useState<Record<string, number>>({})

  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 12,
  })
  // sizes are kept until they are measured again
  useEffect(() => virtual.measure(), [virtual, rowHeight])
  const items = virtual.getVirtualItems()

  const last = items.at(-1)?.index ?? -1
  useEffect(() => {
    if (rows.length > 0 && last >= rows.length - 20) onEnd?.()
  }, [last, rows.length, onEnd])

  useEffect(() => {
    if (props.autoFocus) scroller.current?.focus({ preventScroll: true })
  }, [props.autoFocus])

  const at = Math.min(active, Math.max(rows.length - 1, 0))
  const widthOf = (column: Column<Row>) => dragged[column.id] ?? props.widths?.[column.id] ?? column.width

  const choose = (index: number, keys: { shiftKey: boolean; ctrlKey: boolean; metaKey: boolean }) => {
    const row = rows[index]
    if (!row) return
    setActive(index)
    props.onActive?.(row)
    if (!props.onSelect) return
    if (keys.shiftKey) {
      const [from, to] = [Math.min(anchor.current, index), Math.max(anchor.current, index)]
      props.onSelect(new Set(rows.slice(from, to + 1).map(rowId)))
      return
    }
    anchor.current = index
    if (keys.ctrlKey || keys.metaKey) {
      const next = new Set(selected)
      const id = rowId(row)
      if (!next.delete(id)) next.add(id)
      props.onSelect(next)
    } else {
      props.onSelect(new Set([rowId(row)]))
    }
  }

  const keys = (event: KeyboardEvent) => {
    if (event.target !== scroller.current || rows.length === 0) return
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 2)
    const steps: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: rows.length - 1,
    }
    const to = steps[event.key]
    if (to !== undefined) {
      event.preventDefault()
      const index = Math.min(Math.max(to, 0), rows.length - 1)
      choose(index, { shiftKey: event.shiftKey, ctrlKey: false, metaKey: false })
      virtual.scrollToIndex(index)
    } else if (event.key === 'Enter') {
      event.preventDefault()
      props.onOpen?.(rows[at]!)
    } else if (event.key === ' ' && props.onSelect) {
      event.preventDefault()
      choose(at, { shiftKey: false, ctrlKey: true, metaKey: false })
    }
  }

  const resize = (column: Column<Row>) => (event: PointerEvent<HTMLDivElement>) => {
    event.preventDefault()
    const start = event.clientX
    const before = widthOf(column)
    const handle = event.currentTarget
    handle.setPointerCapture(event.pointerId)
    let width = before
    handle.onpointermove = (moved) => {
      width = Math.max(NARROWEST, before + moved.clientX - start)
      setDragged((kept) => ({ ...kept, [column.id]: width }))
    }
    handle.onpointerup = () => {
      handle.onpointermove = handle.onpointerup = null
      props.onWidths?.({ ...props.widths, [column.id]: Math.round(width) })
    }
  }

  return (
    <div
      ref={scroller}
      className={classes.grid}
      role="grid"
      aria-label={props.label}
      aria-rowcount={props.count ?? rows.length}
      aria-multiselectable={props.onSelect ? true : undefined}
      aria-activedescendant={rows.length > 0 ? `${base}-${at}` : undefined}
      tabIndex={0}
      onKeyDown={keys}
    >
      <div className={classes.head} role="row">
        {columns.map((column) => {
          const sorted = order && column.order === order.by
          const arrow = sorted && (order.descending ? <IconArrowDown size={12} /> : <IconArrowUp size={12} />)
          return (
            <div
              key={column.id}
              role="columnheader"
              className={classes.title}
              style={{ width: widthOf(column), justifyContent: column.end ? 'flex-end' : undefined }}
              aria-sort={sorted ? (order.descending ? 'descending' : 'ascending') : undefined}
            >
              {column.order && onOrder ? (
                <button
                  type="button"
                  className={classes.sort}
                  onClick={() =>
                    onOrder({ by: column.order!, descending: sorted ? !order.descending : Boolean(column.end) })
                  }
                >
                  <span className={classes.words}>{column.title}</span>
                  {arrow}
                </button>
              ) : (
                <span className={classes.words}>{column.title}</span>
              )}
              {props.onWidths && <div className={classes.resize} onPointerDown={resize(column)} aria-hidden />}
            </div>
          )
        })}
      </div>
      <div className={classes.body} role="rowgroup" style={{ height: virtual.getTotalSize() }}>
        {items.map((item) => {
          const row = rows[item.index]!
          const id = rowId(row)
          return (
            <div
              key={id}
              id={`${base}-${item.index}`}
              role="row"
              aria-rowindex={item.index + 2}
              aria-selected={props.onSelect ? selected.has(id) : undefined}
              data-active={item.index === at || undefined}
              className={classes.row}
              style={{ top: item.start, height: item.size }}
              onClick={(event) => choose(item.index, event)}
              onDoubleClick={() => props.onOpen?.(row)}
              onContextMenu={props.onMenu && ((event) => props.onMenu!(row, event))}
            >
              {columns.map((column) => (
                <div
                  key={column.id}
                  role="gridcell"
                  className={classes.cell}
                  data-end={column.end || undefined}
                  style={{ width: widthOf(column) }}
                >
                  {column.cell(row)}
                </div>
              ))}
            </div>
          )
        })}
      </div>
      {rows.length === 0 && <div className={classes.note}>{props.empty}</div>}
    </div>
  )
}
