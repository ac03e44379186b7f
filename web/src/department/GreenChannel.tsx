/** Green channel: an exam number and a place on the worklist by one click; nothing has to be known. */
import { Select, SegmentedControl, Stack } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { Ask } from '../app/Ask'
import { usePreference } from '../app/preferences'
import { procedureOptions, stationOptions, useMaster, wordsOfKind } from './model'

interface Props {
  close: () => void
  done: (exam: number) => void
}

export function GreenChannel({ close, done }: Props) {
  const { t } = useTranslation()
  const master = useMaster()
  // what is done in an emergency is mostly the same: the last choice stands
  const [kept, keep] = usePreference<{ procedure: string; station: string }>('green', { procedure: '', station: '' })
  const [sex, setSex] = useState<'' | 'M' | 'F'>('')
  const [wanted, setWanted] = useState(kept)
  const words = wordsOfKind(master.data, 'procedure').find((one) => one.code === wanted.procedure)
  const modality = words ? String(words.more.modality ?? '') : undefined

  return (
    <Ask
      title={t('department.green.title')}
      text={t('department.green.text')}
      word={t('department.green.word')}
      grave
      reason="none"
      close={close}
      act={async () => {
        const made = await data(api.POST('/exams/green', { body: { ...wanted, sex } }))
        keep(wanted)
        notifications.show({ message: t('department.green.made', { number: made.exam.number, name: made.name }), color: 'teal' })
        done(made.exam.id)
      }}
    >
      <Stack gap="sm">
        <SegmentedControl
          aria-label={t('department.sexLabel')}
          value={sex || '?'}
          onChange={(value) => setSex(value === '?' ? '' : (value as 'M'))}
          data={[
            { value: '?', label: t('department.sex.unknown') },
            { value: 'M', label: t('department.sex.M') },
            { value: 'F', label: t('department.sex.F') },
          ]}
        />
        <Select
          label={t('department.procedure')}
          placeholder={t('department.green.usual')}
          data={procedureOptions(master.data)}
          value={wanted.procedure || null}
          onChange={(value) => setWanted({ procedure: value ?? '', station: '' })}
          searchable
          clearable
        />
        <Select
          label={t('department.station')}
          placeholder={t('department.anyStation')}
          data={stationOptions(master.data?.stations ?? [], modality)}
          value={wanted.station || null}
          onChange={(value) => setWanted({ ...wanted, station: value ?? '' })}
          clearable
        />
      </Stack>
    </Ask>
  )
}
