import { Alert, TextInput } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { IconLifebuoy } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { Ask } from '../app/Ask'
import { clockOf } from '../app/format'

const UID = /^[0-9]+(\.[0-9]+){3,}$/

/** Opens in an emergency what one may not see: a study by its UID, or a patient by ID. Nobody is asked, all is told. */
export function BreakGlass({ of, close, done }: { of: string; close: () => void; done: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [about, setAbout] = useState(of)
  const wanted = about.trim()
  return (
    <Ask
      title={t('why.glass.title')}
      word={t('why.glass.do')}
      grave
      ready={wanted !== ''}
      close={close}
      act={async (reason) => {
        const made = await data(
          api.POST('/emergencies', {
            body: {
              study_uid: UID.test(wanted) ? wanted : '',
              patient_id: UID.test(wanted) ? '' : wanted,
              issuer: '',
              reason,
            },
          }),
        )
        // what was not there for this person may be there now
        await client.invalidateQueries()
        notifications.show({ title: t('why.glass.open', { until: clockOf(made.until) }), message: t('why.glass.told') })
        done()
      }}
    >
      <Alert color="red" variant="light" p="xs" icon={<IconLifebuoy size={16} />}>
        {t('why.glass.text')}
      </Alert>
      <TextInput
        label={t('why.glass.about')}
        description={t('why.glass.aboutHelp')}
        maxLength={64}
        data-autofocus
        value={about}
        onChange={(event) => setAbout(event.currentTarget.value)}
      />
    </Ask>
  )
}
