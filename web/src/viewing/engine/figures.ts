/** Figures and texts of a presentation state on a canvas (PS3.3 C.10.5). */
import type { Figure, Words } from './state'

type Point = [number, number]

export interface Placing {
  /** Image pixels to those of the canvas. */
  matrix: DOMMatrix
  /** The displayed area on the canvas: left, top, right, bottom. */
  box: [number, number, number, number]
  /** Canvas pixels for one of CSS. */
  ratio: number
}

function placed([x, y]: Point, display: boolean, { matrix, box }: Placing): Point {
  if (display) return [box[0] + x * (box[2] - box[0]), box[1] + y * (box[3] - box[1])]
  const found = matrix.transformPoint({ x, y })
  return [found.x, found.y]
}

/** The outline of an ellipse, by the ends of its axes. */
function ellipse([a, b, c, d]: Point[]): Point[] {
  const [x, y] = [(a![0] + b![0]) / 2, (a![1] + b![1]) / 2]
  const [ux, uy, vx, vy] = [(b![0] - a![0]) / 2, (b![1] - a![1]) / 2, (d![0] - c![0]) / 2, (d![1] - c![1]) / 2]
  return Array.from({ length: 129 }, (_, at) => {
    const angle = (at / 128) * 2 * Math.PI
    return [x + ux * Math.cos(angle) + vx * Math.sin(angle), y + uy * Math.cos(angle) + vy * Math.sin(angle)]
  })
}

/** A smooth line through all points (Catmull-Rom), for INTERPOLATED. */
function curve(points: Point[]): Point[] {
  if (points.length < 3) return points
  const last = points.at(-1)!
  const closed = points[0]![0] === last[0] && points[0]![1] === last[1]
  const line = [closed ? points.at(-2)! : points[0]!, ...points, closed ? points[1]! : last]
  const out: Point[] = []
  for (let at = 0; at + 3 < line.length; at += 1) {
    for (let step = 0; step < 16; step += 1) {
      const t = step / 16
      const on = (axis: 0 | 1) => {
        const [p0, p1, p2, p3] = [line[at]![axis], line[at + 1]![axis], line[at + 2]![axis], line[at + 3]![axis]]
        return 0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t ** 2 + (3 * p1 - p0 - 3 * p2 + p3) * t ** 3)
      }
      out.push([on(0), on(1)])
    }
  }
  return [...out, last]
}

function outline({ kind, points }: Figure): Point[] | null {
  if (kind === 'CIRCLE' && points.length >= 2) {
    const [x, y] = points[0]!
    const radius = Math.hypot(points[1]![0] - x, points[1]![1] - y)
    return ellipse([[x - radius, y], [x + radius, y], [x, y - radius], [x, y + radius]])
  }
  if (kind === 'ELLIPSE' && points.length >= 4) return ellipse(points)
  if (kind === 'INTERPOLATED') return curve(points)
  return kind === 'POLYLINE' ? points : null
}

export function figure(context: CanvasRenderingContext2D, one: Figure, placing: Placing): void {
  context.strokeStyle = one.colour
  context.fillStyle = one.colour
  context.lineWidth = 1.5 * placing.ratio
  if (one.kind === 'POINT') {
    if (!one.points[0]) return
    const [x, y] = placed(one.points[0], one.display, placing)
    const size = 5 * placing.ratio
    context.beginPath()
    context.moveTo(x - size, y)
    context.lineTo(x + size, y)
    context.moveTo(x, y - size)
    context.lineTo(x, y + size)
    return context.stroke()
  }
  const line = outline(one)?.map((point) => placed(point, one.display, placing))
  if (!line || line.length < 2) return
  context.beginPath()
  line.forEach(([x, y], at) => (at === 0 ? context.moveTo(x, y) : context.lineTo(x, y)))
  const [first, last] = [line[0]!, line.at(-1)!]
  if (one.filled && Math.hypot(first[0] - last[0], first[1] - last[1]) < 0.5) context.fill()
  context.stroke()
}

/** At its box's corner, or beside its anchor, with a line from one to the other. */
export function words(context: CanvasRenderingContext2D, one: Words, placing: Placing): void {
  const start = one.corner ?? one.anchor
  if (!start) return
  const size = 14 * placing.ratio
  context.font = `${size}px system-ui, sans-serif`
  context.textBaseline = 'top'
  const lines = one.text.split(/\r\n|\r|\n/)
  const width = Math.max(...lines.map((line) => context.measureText(line).width))
  const height = lines.length * size * 1.25
  let [x, y] = placed(start, one.corner ? one.cornerDisplay : one.anchorDisplay, placing)
  // what would run out of the picture is moved in
  x = Math.max(Math.min(x, context.canvas.width - width - 2), 2)
  y = Math.max(Math.min(y, context.canvas.height - height - 2), 2)
  if (one.corner && one.anchor) {
    const [toX, toY] = placed(one.anchor, one.anchorDisplay, placing)
    context.strokeStyle = one.colour
    context.lineWidth = placing.ratio
    context.beginPath()
    context.moveTo(Math.max(Math.min(toX, x + width), x), Math.max(Math.min(toY, y + height), y))
    context.lineTo(toX, toY)
    context.stroke()
  }
  context.fillStyle = one.colour
  context.shadowColor = '#000'
  context.shadowBlur = 3 * placing.ratio
  lines.forEach((line, at) => context.fillText(line, x, y + at * size * 1.25))
  context.shadowBlur = 0
}
