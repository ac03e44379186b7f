import { Autocomplete, Button, Group, Modal, NumberInput, Stack, Text } from '@mantine/core'
import { useState, useSyncExternalStore } from 'react'
import { useTranslation } from 'react-i18next'

import { asking, type Question } from './asking'
import { usePhrases } from './phrases'

/** Asks what a tool wants to know. */
export function Questions() {
  const question = useSyncExternalStore(asking.subscribe, asking.get)
  return question && <Asked key={question.kind} question={question} />
}

function Asked({ question }: { question: Question }) {
  const { t } = useTranslation()
  const [phrases, remember] = usePhrases()
  const [words, setWords] = useState(question.kind === 'words' ? question.said : '')
  const [mm, setMm] = useState<number | string>('')
  const known = question.kind === 'known'
  const ready = known ? Number(mm) > 0 : words.trim() !== ''
  const submit = (event: React.FormEvent) => {
    event.preventDefault()
    if (!ready) return
    if (!known) remember(words)
    asking.answer(known ? mm : words)
  }
  return (
    <Modal opened onClose={asking.leave} title={t(known ? 'measuring.knownTitle' : 'measuring.wordsTitle')} size="sm" centered>
      <form onSubmit={submit}>
        <Stack gap="sm">
          {known ? (
            <>
              <Text size="sm" c="dimmed">
                {t('measuring.knownHelp')}
              </Text>
              <NumberInput
                data-autofocus
                label={t('measuring.known')}
                suffix=" mm"
                min={0.01}
                max={10_000}
                decimalScale={3}
                hideControls
                value={mm}
                onChange={setMm}
              />
            </>
          ) : (
            <Autocomplete data-autofocus label={t('measuring.words')} data={phrases} limit={8} maxLength={256} value={words} onChange={setWords} />
          )}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={asking.leave}>
              {t('app.actions.cancel')}
            </Button>
            <Button type="submit" disabled={!ready}>
              {t(known ? 'measuring.calibrate' : 'measuring.take')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
