import { Button, Group, Modal, Slider, Stack, Text } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { keepScreen, mmOfScreen } from './screen'

/** A card as banks give them (ISO/IEC 7810 ID-1), mm. */
const CARD = { width: 85.6, height: 53.98 }

/** Lets somebody tell how large this screen is: a card is held against the picture of one. */
export function MeasureScreen({ close, done }: { close: () => void; done: (mm: number) => void }) {
  const { t } = useTranslation()
  const [mm, setMm] = useState(mmOfScreen() ?? 25.4 / 96)
  const width = CARD.width / mm
  return (
    <Modal opened onClose={close} title={t('viewing.screenTitle')} size="auto" centered>
      <Stack gap="md" maw="min(44rem, 90vw)">
        <Text size="sm" c="dimmed">
          {t('viewing.screenHelp')}
        </Text>
        <div style={{ height: '27rem', overflow: 'hidden', display: 'grid', placeItems: 'center' }}>
          <div
            aria-hidden
            style={{ width, height: CARD.height / mm, border: '1px solid currentColor', borderRadius: 3.18 / mm, background: 'var(--fl-selected)', display: 'grid', placeItems: 'center', fontSize: '0.75rem' }}
          >
            85.6 mm
          </div>
        </div>
        <Slider
          data-autofocus
          min={200}
          max={800}
          step={0.5}
          value={width}
          onChange={(value) => setMm(CARD.width / value)}
          label={null}
          thumbLabel={t('viewing.screenTitle')}
        />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            {t('app.actions.cancel')}
          </Button>
          <Button
            onClick={() => {
              keepScreen(mm)
              done(mm)
            }}
          >
            {t('viewing.screenDone')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}
