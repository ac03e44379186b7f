import { ActionIcon, Menu, Tooltip } from '@mantine/core'
import {
  IconAngle,
  IconArrowsMove,
  IconArrowsVertical,
  IconArrowUpRight,
  IconAugmentedReality,
  IconBrightnessHalf,
  IconCircleDashed,
  IconCircleHalf2,
  IconColorPicker,
  IconContrast2,
  IconCrosshair,
  IconFlipHorizontal,
  IconFlipVertical,
  IconLasso,
  IconLayoutGrid,
  IconLineDashed,
  IconLink,
  IconMathXDivideY2,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlus,
  IconRefresh,
  IconRelationOneToOne,
  IconRotateClockwise,
  IconRuler,
  IconSquareDashed,
  IconSquareHalf,
  IconZoom,
  IconZoomInArea,
  type Icon,
} from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'

import type { Stack } from './engine/series'
import { MANIPULATE, MEASURE, TOOLS, type ToolId } from './engine/tools'
import { CT_PRESETS } from './engine/windows'
import type { Model, Viewing } from './model'
import classes from './Viewer.module.css'

const ICONS: Record<ToolId, Icon> = {
  window: IconContrast2,
  scroll: IconArrowsVertical,
  zoom: IconZoom,
  pan: IconArrowsMove,
  region: IconSquareHalf,
  magnify: IconZoomInArea,
  length: IconRuler,
  angle: IconAngle,
  cobb: IconMathXDivideY2,
  bidirectional: IconPlus,
  ellipse: IconCircleDashed,
  rectangle: IconSquareDashed,
  freehand: IconLasso,
  probe: IconColorPicker,
  arrow: IconArrowUpRight,
}

const LAYOUTS: [number, number][] = [
  [1, 1],
  [1, 2],
  [2, 1],
  [2, 2],
  [2, 3],
  [3, 3],
  [3, 4],
  [4, 5],
]

export function Toolbar({ viewing, model, stacks }: { viewing: Viewing; model: Model; stacks: Stack[] }) {
  const { t } = useTranslation()
  const view = () => viewing.view()
  const stack = model.panes[model.active]?.stack

  const tool = (id: ToolId) => {
    const Drawn = ICONS[id]
    return (
      <Button
        key={id}
        label={t(`viewing.tool.${id}`)}
        hint={TOOLS[id].key}
        pressed={model.tool === id}
        onClick={() => viewing.take(id)}
        icon={Drawn}
      />
    )
  }

  return (
    <div className={classes.tools} role="toolbar" aria-label={t('viewing.tools')}>
      {MANIPULATE.map(tool)}
      <Menu position="bottom-start" shadow="md">
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" size={32} aria-label={t('viewing.presets')} title={t('viewing.presets')}>
            <IconBrightnessHalf size={18} stroke={1.6} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {stack?.modality === 'CT' &&
            CT_PRESETS.map((preset, at) => (
              <Menu.Item key={preset.id} rightSection={String(at + 1)} onClick={() => view()?.window(preset.center, preset.width)}>
                {t(`viewing.preset.${preset.id}`)} {preset.width} / {preset.center}
              </Menu.Item>
            ))}
          <Menu.Item onClick={() => view()?.reset()}>{t('viewing.preset.original')}</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <span className={classes.part} />
      <Button label={t('viewing.invert')} hint="i" onClick={() => view()?.invert()} icon={IconCircleHalf2} />
      <Button label={t('viewing.rotate')} hint="r" onClick={() => view()?.rotate(90)} icon={IconRotateClockwise} />
      <Button label={t('viewing.flipHorizontal')} hint="h" onClick={() => view()?.flip('horizontal')} icon={IconFlipVertical} />
      <Button label={t('viewing.flipVertical')} hint="v" onClick={() => view()?.flip('vertical')} icon={IconFlipHorizontal} />
      <Button label={t('viewing.oneToOne')} onClick={() => view()?.oneToOne()} icon={IconRelationOneToOne} />
      <Button label={t('viewing.reset')} hint="0" onClick={() => view()?.reset()} icon={IconRefresh} />
      <span className={classes.part} />
      {MEASURE.map(tool)}
      <span className={classes.part} />
      {(stack?.imageIds.length ?? 0) > 1 && !model.volume && (
        <Button
          label={t('viewing.play')}
          hint="j"
          pressed={model.playing}
          onClick={() => viewing.play()}
          icon={model.playing ? IconPlayerPause : IconPlayerPlay}
        />
      )}
      {model.panes.length > 1 && !model.volume && (
        <>
          <Button label={t('viewing.link')} hint="k" pressed={model.linked} onClick={() => viewing.link()} icon={IconLink} />
          <Button label={t('viewing.lines')} pressed={model.lines} onClick={() => viewing.showLines()} icon={IconLineDashed} />
        </>
      )}
      {model.volume && (
        <Button label={t('viewing.crosshairs')} hint="x" pressed={model.tool === 'crosshairs'} onClick={() => viewing.take('crosshairs')} icon={IconCrosshair} />
      )}
      {(stack?.volume || model.volume) && (
        <Button
          label={t('viewing.planes')}
          hint="o"
          pressed={model.volume !== null}
          onClick={() => viewing.cut(model.volume ? null : (stack ?? null))}
          icon={IconAugmentedReality}
        />
      )}
      <Menu position="bottom-start" shadow="md">
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" size={32} aria-label={t('viewing.layout')} title={t('viewing.layout')}>
            <IconLayoutGrid size={18} stroke={1.6} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {LAYOUTS.map(([rows, columns]) => (
            <Menu.Item
              key={`${rows}x${columns}`}
              onClick={() => {
                viewing.layout(rows, columns)
                viewing.fill(stacks)
              }}
            >
              {rows} × {columns}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
    </div>
  )
}

interface ButtonProps {
  label: string
  hint?: string
  pressed?: boolean
  onClick: () => void
  icon: Icon
}

function Button({ label, hint, pressed, onClick, icon: Drawn }: ButtonProps) {
  return (
    <Tooltip label={hint ? `${label} (${hint.toUpperCase()})` : label}>
      <ActionIcon
        variant={pressed ? 'light' : 'subtle'}
        color={pressed ? undefined : 'gray'}
        size={32}
        aria-label={label}
        aria-pressed={pressed}
        onClick={onClick}
        style={{ flex: 'none' }}
      >
        <Drawn size={18} stroke={1.6} />
      </ActionIcon>
    </Tooltip>
  )
}
