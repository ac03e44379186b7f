import { ActionIcon, Menu } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import {
  IconAngle,
  IconArrowsMove,
  IconArrowsVertical,
  IconArrowUpRight,
  IconArrowsDiagonal,
  IconAugmentedReality,
  IconBrightnessAuto,
  IconBrightnessHalf,
  IconCheck,
  IconChevronDown,
  IconChevronUp,
  IconCircleDashed,
  IconCircleHalf2,
  IconColorPicker,
  IconContrast2,
  IconCrosshair,
  IconDots,
  IconHeartbeat,
  IconFlipHorizontal,
  IconFlipVertical,
  IconLasso,
  IconLink,
  IconMapPin,
  IconMathXDivideY2,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlus,
  IconRefresh,
  IconRelationOneToOne,
  IconRotateClockwise,
  IconRuler,
  IconRulerMeasure,
  IconSquareDashed,
  IconSquareHalf,
  IconStackFront,
  IconZoom,
  IconZoomInArea,
  type Icon,
} from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import type { Stack } from './engine/series'
import { MANIPULATE, MEASURE, onPlanes, TOOLS, type ToolId } from './engine/tools'
import type { VolumeView } from './engine/volume'
import { CT_PRESETS } from './engine/windows'
import { LayoutMenu } from './hanging/LayoutMenu'
import type { Hanging } from './hanging/useHanging'
import type { Model, Viewing } from './model'
import { mmOfScreen } from './screen'
import { Hints, hintOf, ToolButton } from './ToolButton'
import { MeasureScreen } from './TrueSize'
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
  cursor: IconMapPin,
  ratio: IconHeartbeat,
  calibration: IconRulerMeasure,
}

/** Measuring tools at hand, and those that are taken from a menu. */
const OFTEN: ToolId[] = ['length', 'angle', 'ellipse', 'rectangle', 'probe', 'arrow']
const SELDOM: ToolId[] = MEASURE.filter((id) => !OFTEN.includes(id))

interface Props {
  viewing: Viewing
  /** The planes that are shown instead of images. */
  volume: VolumeView | null
  model: Model
  stacks: Stack[]
  study: string
  hanging: Hanging
  around: { next?: () => void; previous?: () => void }
}

export function Toolbar({ viewing, volume, model, stacks, study, hanging, around }: Props) {
  const { t } = useTranslation()
  const [screen, setScreen] = useState(false)
  const view = () => viewing.view()
  const stack = model.panes[model.active]?.stack
  // what turns or sizes one image does nothing to planes
  const cut = model.volume !== null

  const real = () => {
    const mm = mmOfScreen()
    if (!mm) setScreen(true)
    else if (view() && !view()!.trueSize(mm)) notifications.show({ color: 'orange', message: t('viewing.noSize') })
  }

  const tool = (id: ToolId) => {
    const Drawn = ICONS[id]
    return (
      <ToolButton
        key={id}
        label={t(`viewing.tool.${id}`)}
        hint={TOOLS[id].key}
        pressed={model.tool === id}
        disabled={cut && !onPlanes(id)}
        onClick={() => viewing.take(id)}
        icon={Drawn}
      />
    )
  }

  return (
    <Hints className={classes.tools!} aria-label={t('viewing.tools')}>
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
              <Menu.Item key={preset.id} rightSection={String(at + 1)} onClick={() => (volume ?? view())?.window(preset.center, preset.width)}>
                {t(`viewing.preset.${preset.id}`)} {preset.width} / {preset.center}
              </Menu.Item>
            ))}
          <Menu.Item rightSection="U" disabled={cut} leftSection={<IconBrightnessAuto size={14} />} onClick={() => view()?.auto()}>
            {t('viewing.auto')}
          </Menu.Item>
          <Menu.Item onClick={() => (volume ?? view())?.reset()}>{t('viewing.preset.original')}</Menu.Item>
          <Menu.Divider />
          <Menu.Item onClick={() => setScreen(true)}>{t('viewing.measureScreen')}</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <span className={classes.part} />
      <ToolButton label={t('viewing.invert')} hint="i" disabled={cut} onClick={() => view()?.invert()} icon={IconCircleHalf2} />
      <Choices
        label={t('viewing.turn')}
        icon={IconRotateClockwise}
        disabled={cut}
        choices={[
          { words: t('viewing.rotate'), keys: 'R', run: () => view()?.rotate(90), icon: IconRotateClockwise },
          { words: t('viewing.flipHorizontal'), keys: 'H', run: () => view()?.flip('horizontal'), icon: IconFlipVertical },
          { words: t('viewing.flipVertical'), keys: 'V', run: () => view()?.flip('vertical'), icon: IconFlipHorizontal },
        ]}
      />
      <ToolButton label={t('viewing.oneToOne')} disabled={cut} onClick={() => view()?.oneToOne()} hint="=" icon={IconRelationOneToOne} />
      <ToolButton label={t('viewing.trueSize')} hint="Alt+T" disabled={cut} onClick={() => real()} icon={IconArrowsDiagonal} />
      <ToolButton label={t('viewing.reset')} hint="0" onClick={() => (volume ?? view())?.reset()} icon={IconRefresh} />
      <ToolButton label={t('viewing.overlays')} hint="alt+o" disabled={cut} pressed={model.panes[model.active]?.over.overlays} onClick={() => viewing.showOverlays()} icon={IconStackFront} />
      <span className={classes.part} />
      {OFTEN.map(tool)}
      <Choices
        label={t('viewing.moreTools')}
        icon={SELDOM.includes(model.tool as ToolId) ? ICONS[model.tool as ToolId] : IconDots}
        pressed={SELDOM.includes(model.tool as ToolId)}
        choices={SELDOM.map((id) => ({ words: t(`viewing.tool.${id}`), keys: hintOf(TOOLS[id].key), on: model.tool === id, disabled: cut && !onPlanes(id), run: () => viewing.take(id), icon: ICONS[id] }))}
      />
      <span className={classes.part} />
      {(stack?.imageIds.length ?? 0) > 1 && !model.volume && (
        <ToolButton
          label={t('viewing.play')}
          hint="j"
          pressed={model.playing}
          onClick={() => viewing.play()}
          icon={model.playing ? IconPlayerPause : IconPlayerPlay}
        />
      )}
      {model.panes.length > 1 && !model.volume && (
        <Choices
          label={t('viewing.together')}
          icon={IconLink}
          pressed={model.linked || model.windows || model.zooms}
          choices={[
            { words: t('viewing.link'), keys: 'K', on: model.linked, run: () => viewing.link() },
            { words: t('viewing.shareWindows'), keys: 'Alt+W', on: model.windows, run: () => viewing.share('windows') },
            { words: t('viewing.shareZooms'), keys: 'Alt+Z', on: model.zooms, run: () => viewing.share('zooms') },
            { words: t('viewing.lines'), keys: 'Alt+R', on: model.lines, run: () => viewing.showLines() },
          ]}
        />
      )}
      {model.volume && (
        <ToolButton label={t('viewing.crosshairs')} hint="x" pressed={model.tool === 'crosshairs'} onClick={() => viewing.take('crosshairs')} icon={IconCrosshair} />
      )}
      {(stack?.volume || model.volume) && (
        <ToolButton
          label={t('viewing.planes')}
          hint="o"
          pressed={model.volume !== null}
          onClick={() => viewing.cut(model.volume ? null : (stack ?? null))}
          icon={IconAugmentedReality}
        />
      )}
      <LayoutMenu viewing={viewing} model={model} stacks={stacks} study={study} hanging={hanging} />
      {(around.previous || around.next) && (
        <>
          <span className={classes.part} />
          <ToolButton label={t('viewing.previousStudy')} hint="Shift+PgUp" disabled={!around.previous} onClick={() => around.previous?.()} icon={IconChevronUp} />
          <ToolButton label={t('viewing.nextStudy')} hint="Shift+PgDn" disabled={!around.next} onClick={() => around.next?.()} icon={IconChevronDown} />
        </>
      )}
      {screen && (
        <MeasureScreen
          close={() => setScreen(false)}
          done={(mm) => {
            setScreen(false)
            view()?.trueSize(mm)
          }}
        />
      )}
    </Hints>
  )
}

interface ChoicesProps {
  label: string
  icon: Icon
  pressed?: boolean
  disabled?: boolean
  choices: { words: string; keys: string; run: () => void; on?: boolean; disabled?: boolean; icon?: Icon }[]
}

/** Several things behind one button. */
function Choices({ label, icon: Drawn, pressed, disabled, choices }: ChoicesProps) {
  return (
    <Menu position="bottom-start" shadow="md">
      <Menu.Target>
        <ActionIcon variant={pressed ? 'light' : 'subtle'} color={pressed ? undefined : 'gray'} size={32} disabled={disabled} aria-label={label} title={label} style={{ flex: 'none', ...(disabled ? { background: 'none' } : {}) }}>
          <Drawn size={18} stroke={1.6} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {choices.map(({ words, keys, run, on, disabled: off, icon: Shown }) => (
          <Menu.Item
            key={words}
            role={on === undefined ? 'menuitem' : 'menuitemcheckbox'}
            aria-checked={on}
            disabled={off}
            leftSection={on ? <IconCheck size={14} /> : Shown ? <Shown size={14} stroke={1.6} /> : <span style={{ display: 'inline-block', width: 14 }} />}
            rightSection={keys}
            onClick={run}
          >
            {words}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}
