/** Green channel: an exam number and a place on the worklist by one click; nothing has to be known. */
import { Button, Select, SegmentedControl, Stack, Tooltip } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { IconAmbulance, IconChevronDown } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { Problem } from '../api/problem'
import { Ask } from '../app/Ask'
import { showError } from '../app/errors'
import { usePreference } from '../app/preferences'
import { nameOf, procedureOptions, stationOptions, useMaster, wordsOfKind } from './model'

interface Props {
  close: () => void
  done: (exam: number) => void
}

interface Choice {
  procedure: string
  station: string
}

const USUAL: Choice = { procedure: '', station: '' }
/** Milliseconds in which a second click is the same one. */
const ONCE = 1500

/** What is done in an emergency is mostly the same: the last choice stands. */
function useGreen() {
  const { t } = useTranslation()
  const [kept, keep] = usePreference<Choice>('green', USUAL)
  const make = async (wanted: Choice, sex: '' | 'M' | 'F') => {
    const made = await data(api.POST('/exams/green', { body: { ...wanted, sex } }))
    notifications.show({ message: t('department.green.made', { number: made.exam.number, name: made.name }), color: 'teal' })
    return made.exam.id
  }
  return { kept, keep, make }
}

/** One click makes the exam; the arrow beside it asks first for what is known already. */
export function GreenButton({ ask, done }: { ask: () => void; done: (exam: number) => void }) {
  const { t } = useTranslation()
  const master = useMaster()
  const { kept, keep, make } = useGreen()
  const [busy, setBusy] = useState(false)
  const usual = wordsOfKind(master.data, 'procedure').find((one) => one.code === kept.procedure)
  const what = [usual && nameOf(usual, usual.code), kept.station].filter(Boolean).join(' · ')

  const act = async () => {
    setBusy(true)
    try {
      done(
        await make(kept, '').catch((error: unknown) => {
          // a station or procedure that is no more keeps nobody waiting
          if (!(error instanceof Problem && error.code.startsWith('unknown-') && kept !== USUAL)) throw error
          keep(USUAL)
          return make(USUAL, '')
        }),
      )
    } catch (error) {
      showError(error)
    } finally {
      setTimeout(() => setBusy(false), ONCE)
    }
  }
  return (
    <Button.Group>
      <Tooltip label={[t('department.green.help'), what].filter(Boolean).join(': ')}>
        <Button color="red" leftSection={<IconAmbulance size={15} />} loading={busy} onClick={() => void act()}>
          {t('department.green.title')}
        </Button>
      </Tooltip>
      <Button color="red" px={6} aria-label={t('department.green.more')} title={t('department.green.more')} onClick={ask} style={{ borderLeft: '1px solid rgb(255 255 255 / 35%)' }}>
        <IconChevronDown size={14} />
      </Button>
    </Button.Group>
  )
}

export function GreenChannel({ close, done }: Props) {
  const { t } = useTranslation()
  const master = useMaster()
  const { kept, keep, make } = useGreen()
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
      quick
      reason="none"
      close={close}
      act={async () => {
        const exam = await make(wanted, sex)
        keep(wanted)
        done(exam)
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
