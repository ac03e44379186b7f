/** The tools of the mouse, as data: one line here adds one. */
import {
  addTool,
  AngleTool,
  ArrowAnnotateTool,
  BidirectionalTool,
  CrosshairsTool,
  EllipticalROITool,
  Enums,
  LengthTool,
  MagnifyTool,
  PanTool,
  PlanarFreehandROITool,
  ProbeTool,
  RectangleROITool,
  ReferenceLinesTool,
  StackScrollTool,
  TrackballRotateTool,
  ToolGroupManager,
  WindowLevelTool,
  ZoomTool,
  type Types,
} from '@cornerstonejs/tools'

import { CalibrationTool, CursorTool, LinesTool, RatioTool, RegionTool } from './kinds'
import { onlyWhereTheyAre } from './planes'

/** What the left button does. */
export const TOOLS = {
  window: { class: WindowLevelTool, key: 'w' },
  scroll: { class: StackScrollTool, key: 's' },
  zoom: { class: ZoomTool, key: 'z' },
  pan: { class: PanTool, key: 'm' },
  region: { class: RegionTool, key: 'g' },
  magnify: { class: MagnifyTool, key: 'q' },
  cursor: { class: CursorTool, key: 'd' },
  length: { class: LengthTool, key: 'l' },
  angle: { class: AngleTool, key: 'a' },
  cobb: { class: LinesTool, key: 'c' },
  bidirectional: { class: BidirectionalTool, key: 'b' },
  ellipse: { class: EllipticalROITool, key: 'e' },
  rectangle: { class: RectangleROITool, key: 't' },
  freehand: { class: PlanarFreehandROITool, key: 'f' },
  probe: { class: ProbeTool, key: 'p' },
  arrow: { class: ArrowAnnotateTool, key: 'n' },
  ratio: { class: RatioTool, key: 'y' },
  calibration: { class: CalibrationTool, key: 'alt+c' },
} as const

export type ToolId = keyof typeof TOOLS
export const MANIPULATE: ToolId[] = ['window', 'scroll', 'zoom', 'pan', 'region', 'magnify', 'cursor']
export const MEASURE: ToolId[] = ['length', 'angle', 'cobb', 'bidirectional', 'ellipse', 'rectangle', 'freehand', 'probe', 'arrow', 'ratio', 'calibration']

/** What is of one image, and means nothing on a plane through many. */
const OF_IMAGES: ToolId[] = ['region', 'magnify', 'cursor', 'calibration']
export const onPlanes = (tool: ToolId | 'crosshairs'): boolean => !(OF_IMAGES as string[]).includes(tool)

export const STACKS = 'stacks'
export const VOLUMES = 'volumes'
export const SPACE = 'space'

const { Primary, Secondary, Auxiliary, Wheel } = Enums.MouseBindings
/** The lines of each plane of a volume; the panes have the same colour at their name. */
export const LINES: Record<string, string> = { 'plane-axial': '#ff6b6b', 'plane-sagittal': '#ffd43b', 'plane-coronal': '#69db7c' }

/** What the tools ask of those who measure; they put in what they answer. */
export const asked = {
  /** The lines beside something drawn; undefined: those of the tool itself. */
  lines: (_data: unknown): string[] | undefined => undefined,
  /** The words of an arrow; `done` without any takes it away. */
  words: (_said: string, done: (words: string) => void): void => done(''),
}

interface Said {
  data?: { label?: string }
}

let added = false

type Group = NonNullable<ReturnType<typeof ToolGroupManager.getToolGroup>>

function group(id: string): Group {
  const found = ToolGroupManager.getToolGroup(id)
  if (found) return found
  const made = ToolGroupManager.createToolGroup(id)!
  if (id === SPACE) {
    for (const tool of [TrackballRotateTool, PanTool, ZoomTool]) made.addTool(tool.toolName)
    made.setToolActive(TrackballRotateTool.toolName, { bindings: [{ mouseButton: Primary }, { numTouchPoints: 1 }] })
    made.setToolActive(PanTool.toolName, { bindings: [{ mouseButton: Auxiliary }, { numTouchPoints: 2 }] })
    made.setToolActive(ZoomTool.toolName, { bindings: [{ mouseButton: Secondary }, { mouseButton: Wheel }] })
    return made
  }
  for (const [name, tool] of Object.entries(TOOLS)) {
    made.addTool(tool.class.toolName, {
      // a line that is let go of closes: an outline that is none would not be kept
      ...(tool === TOOLS.freehand ? { allowOpenContours: false } : {}),
      getTextCallback: (done: (words: string) => void) => asked.words('', done),
      changeTextCallback: (said: Said, _event: unknown, done: (words: string) => void) => asked.words(said.data?.label ?? '', done),
    })
    const instance: unknown = made.getToolInstance(tool.class.toolName)
    if ((MEASURE as string[]).includes(name)) onlyWhereTheyAre(instance, id === VOLUMES)
    const { configuration } = instance as { configuration: { getTextLines?: (...all: unknown[]) => string[] | undefined } }
    const own = configuration.getTextLines
    if (own) configuration.getTextLines = (data: unknown, target: unknown) => asked.lines(data) ?? own(data, target)
  }
  if (id === VOLUMES) {
    made.addTool(CrosshairsTool.toolName, {
      getReferenceLineColor: (id: string) => LINES[id] ?? '#4db8c8',
      // how thick planes are is set, and said, in one place
      getReferenceLineSlabThicknessControlsOn: () => false,
    })
  } else {
    made.addTool(ReferenceLinesTool.toolName)
  }
  return made
}

/** The group of tools for stacks or for the planes of a volume, with `tool` on the left button. */
export function toolGroup(id: string): Group {
  if (!added) {
    for (const tool of Object.values(TOOLS)) addTool(tool.class)
    addTool(CrosshairsTool)
    addTool(ReferenceLinesTool)
    addTool(TrackballRotateTool)
    added = true
  }
  return group(id)
}

/** Lines of the plane of one viewport in the others; null: none. */
export function referenceLines(source: string | null): void {
  const made = toolGroup(STACKS)
  if (source === null) return made.setToolDisabled(ReferenceLinesTool.toolName)
  made.setToolConfiguration(ReferenceLinesTool.toolName, { sourceViewportId: source })
  made.setToolEnabled(ReferenceLinesTool.toolName)
}

/** Puts a tool on the left button; pan, zoom and scroll stay on the others. */
export function chooseTool(chosen: ToolId | 'crosshairs'): void {
  for (const id of [STACKS, VOLUMES]) {
    const tool = id === VOLUMES && !onPlanes(chosen) ? 'window' : chosen
    const made = toolGroup(id)
    for (const one of Object.values(TOOLS)) made.setToolPassive(one.class.toolName, { removeAllBindings: true })
    const bind = (name: string, ...buttons: Types.IToolBinding[]) => made.setToolActive(name, { bindings: buttons })
    const left = { mouseButton: Primary }
    if (id === VOLUMES) made.setToolDisabled(CrosshairsTool.toolName)
    if (tool === 'crosshairs') {
      if (id === VOLUMES) bind(CrosshairsTool.toolName, left)
      else bind(TOOLS.window.class.toolName, left)
    }
    const of = (name: ToolId, ...more: Types.IToolBinding[]) =>
      bind(TOOLS[name].class.toolName, ...more, ...(tool === name ? [left] : []))
    of('pan', { mouseButton: Auxiliary }, { numTouchPoints: 2 })
    of('zoom', { mouseButton: Secondary }, { numTouchPoints: 3 })
    of('scroll', { mouseButton: Wheel })
    if (tool !== 'crosshairs' && !['pan', 'zoom', 'scroll'].includes(tool)) bind(TOOLS[tool].class.toolName, left, { numTouchPoints: 1 })
  }
}
