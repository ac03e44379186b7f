/** Words that somebody writes beside findings, to be completed: those of one's own, last used first, then common ones. */
import { useCallback } from 'react'
import { useTranslation } from 'react-i18next'

import { usePreference } from '../../app/preferences'

const MOST = 40

export function usePhrases(): [string[], (used: string) => void] {
  const { t } = useTranslation()
  const [own, keep] = usePreference<string[]>('viewing.phrases', [])
  const common = t('measuring.phrases').split('|')
  const remember = useCallback(
    (used: string) => {
      // a word, not a story: nothing of a patient is kept
      const words = used.trim()
      if (words && words.length <= 30 && !/\d{3}/.test(words)) keep([words, ...own.filter((one) => one !== words)].slice(0, MOST))
    },
    [own, keep],
  )
  return [[...new Set([...own, ...common])], remember]
}
