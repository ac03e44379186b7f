import { TextInput } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { showError } from '../app/errors'
import { examByNumber, type Listed } from './model'

/** A box that takes the number of an exam, whole; Enter finds the one that has it or had it before. */
export function ExamNumber({ width, found }: { width: number; found: (one: Listed) => void }) {
  const { t } = useTranslation()
  const [number, setNumber] = useState('')
  const look = async () => {
    try {
      const one = await examByNumber(number)
      if (one) found(one)
      else notifications.show({ color: 'yellow', message: t('patients.nobody'), autoClose: 4_000 })
    } catch (error) {
      showError(error)
    }
  }
  return (
    <TextInput
      w={width}
      aria-label={t('patients.otherExam')}
      placeholder={t('patients.otherExam')}
      maxLength={16}
      autoComplete="off"
      value={number}
      onChange={(event) => setNumber(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key === 'Enter' && number.trim()) {
          event.preventDefault()
          void look()
        }
      }}
    />
  )
}
