import { Alert, Button, Stack, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'

import type { components } from '../api/schema'
import { day, madeBy } from '../app/format'
import { PatientName } from '../archive/columns'

type Row = components['schemas']['StudyRow']

/** Asks whose images are meant, where those of several patients have the number of one study. */
export function WhichPatient({ rows, choose }: { rows: Row[]; choose: (row: number) => void }) {
  const { t } = useTranslation()
  return (
    <Alert color="orange" variant="light" p="sm" style={{ minWidth: 0 }} title={t('viewing.which.title')} data-testid="which-patient">
      <Stack gap="xs">
        <Text size="sm">{t('viewing.which.help')}</Text>
        {rows.map((one) => (
          <Button key={one.row} variant="default" justify="flex-start" h="auto" py={6} styles={{ label: { whiteSpace: 'normal', textAlign: 'left' } }} onClick={() => choose(one.row)}>
            <Stack gap={2} align="flex-start">
              <span>
                <PatientName patient={one.patient} />
              </span>
              <Facts of={[one.patient.id, one.patient.birth_date && `${t('archive.column.birthDate')} ${day(one.patient.birth_date)}`]} />
              <Facts of={[madeBy(one.modalities), day(one.date), one.description, t('archive.study.objects', { count: one.instances })]} />
            </Stack>
          </Button>
        ))}
      </Stack>
    </Alert>
  )
}

/** What is broken off begins with no dot. */
function Facts({ of }: { of: (string | false | null | undefined)[] }) {
  const said = of.filter(Boolean)
  return (
    <Text size="xs" c="dimmed" lh={1.35}>
      {said.map((one, at) => (
        <span key={at}>{at < said.length - 1 ? `${one}\u00a0· ` : one}</span>
      ))}
    </Text>
  )
}
