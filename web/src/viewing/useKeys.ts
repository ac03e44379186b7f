/** Everything that the keyboard does in the viewer; the map of shortcuts shows it. */
import { useTranslation } from 'react-i18next'

import { useShortcuts } from '../app/shortcuts'
import type { Stack } from './engine/series'
import { TOOLS, type ToolId } from './engine/tools'
import type { VolumeView } from './engine/volume'
import { CT_PRESETS } from './engine/windows'
import { mmOfScreen } from './screen'
import type { Hanging } from './hanging/useHanging'
import type { Model, Viewing } from './model'

interface Wish {
  viewing: Viewing
  model: Model
  stacks: Stack[]
  volume: VolumeView | null
  hanging: Hanging
  /** To the studies around this one in its list. */
  around: { next?: () => void; previous?: () => void }
}

/** Layouts that have a key. */
export const GRID_KEYS: Record<string, [number, number]> = { 'alt+1': [1, 1], 'alt+2': [1, 2], 'alt+3': [1, 3], 'alt+4': [2, 2], 'alt+6': [2, 3], 'alt+9': [3, 3] }

export function useKeys({ viewing, model, stacks, volume, hanging, around }: Wish): void {
  const { t } = useTranslation()
  const view = () => viewing.view()
  const step = (by: number) => {
    const shown = model.panes[model.active]?.stack
    // through the study whose images are shown there
    const all = stacks.some((one) => one.id === shown?.id) ? stacks : (model.known.find((one) => one.study === shown?.study)?.series.flatMap((one) => one.stacks ?? []) ?? [])
    const next = all[all.findIndex((one) => one.id === shown?.id) + by]
    if (next) viewing.show(next)
  }
  const grid = (rows: number, columns: number) => {
    viewing.layout(rows, columns)
    viewing.fill(stacks)
    hanging.remember(rows, columns)
  }
  const pane = (by: number) => viewing.activate((model.active + by + model.panes.length) % model.panes.length)
  useShortcuts(t('viewing.title'), [
    ...(Object.keys(TOOLS) as ToolId[]).map((tool) => ({ keys: TOOLS[tool].key, words: t(`viewing.tool.${tool}`), run: () => viewing.take(tool) })),
    { keys: 'ArrowDown', words: t('viewing.nextImage'), run: () => view()?.scrollBy(1) },
    { keys: 'ArrowUp', words: t('viewing.previousImage'), run: () => view()?.scrollBy(-1) },
    { keys: 'Home', words: t('viewing.firstImage'), run: () => view()?.jumpTo(1) },
    { keys: 'End', words: t('viewing.lastImage'), run: () => view()?.jumpTo(Infinity) },
    { keys: 'PageDown', words: t('viewing.nextSeries'), run: () => step(1) },
    { keys: 'PageUp', words: t('viewing.previousSeries'), run: () => step(-1) },
    { keys: 'shift+PageDown', words: t('viewing.nextStudy'), run: () => around.next?.() },
    { keys: 'shift+PageUp', words: t('viewing.previousStudy'), run: () => around.previous?.() },
    { keys: 'ArrowRight', words: t('viewing.nextPane'), run: () => pane(1) },
    { keys: 'ArrowLeft', words: t('viewing.previousPane'), run: () => pane(-1) },
    { keys: 'Enter', words: t('viewing.maximise'), run: () => viewing.maximise() },
    { keys: 'u', words: t('viewing.auto'), run: () => view()?.auto() },
    { keys: 'i', words: t('viewing.invert'), run: () => view()?.invert() },
    { keys: 'r', words: t('viewing.rotate'), run: () => view()?.rotate(90) },
    { keys: 'h', words: t('viewing.flipHorizontal'), run: () => view()?.flip('horizontal') },
    { keys: 'v', words: t('viewing.flipVertical'), run: () => view()?.flip('vertical') },
    { keys: '=', words: t('viewing.oneToOne'), run: () => view()?.oneToOne() },
    {
      keys: 'alt+t',
      words: t('viewing.trueSize'),
      run: () => {
        const mm = mmOfScreen()
        if (mm) view()?.trueSize(mm)
      },
    },
    { keys: '0', words: t('viewing.reset'), run: () => (volume ?? view())?.reset() },
    ...CT_PRESETS.slice(0, 9).map((preset, at) => ({
      keys: String(at + 1),
      words: `${t('viewing.window')}: ${t(`viewing.preset.${preset.id}`)}`,
      run: () => (volume ?? view())?.window(preset.center, preset.width),
    })),
    { keys: 'j', words: t('viewing.play'), run: () => viewing.play() },
    { keys: 'alt+o', words: t('viewing.overlays'), run: () => viewing.showOverlays() },
    { keys: 'k', words: t('viewing.link'), run: () => viewing.link() },
    { keys: 'alt+w', words: t('viewing.shareWindows'), run: () => viewing.share('windows') },
    { keys: 'alt+z', words: t('viewing.shareZooms'), run: () => viewing.share('zooms') },
    { keys: 'alt+r', words: t('viewing.lines'), run: () => viewing.showLines() },
    ...Object.entries(GRID_KEYS).map(([keys, [rows, columns]]) => ({ keys, words: `${t('viewing.layout')} ${rows} × ${columns}`, run: () => grid(rows, columns) })),
    { keys: 'x', words: t('viewing.crosshairs'), run: () => model.volume && viewing.take('crosshairs') },
    {
      keys: 'o',
      words: t('viewing.planes'),
      run: () => {
        const active = model.panes[model.active]?.stack
        if (model.volume) viewing.cut(null)
        else if (active?.volume) viewing.cut(active)
      },
    },
  ])
}
