import { Alert, Button, Code, Group, Loader, Modal, Stack, Text } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { ErrorNote } from '../app/errors'
import { count } from '../app/format'
import { Facts } from '../app/ListPage'
import { why } from '../app/reasons'

/** Reads the whole trail and says whether it is as it was written. */
export function VerifyAudit({ close }: { close: () => void }) {
  const { t } = useTranslation()
  const run = useMutation({ mutationFn: () => data(api.POST('/audit/verify')) })
  const report = run.data
  return (
    <Modal opened onClose={close} title={t('audit.verify')}>
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          {t('audit.verifyText')}
        </Text>
        {run.isPending && (
          <Group gap="xs" role="status">
            <Loader size="xs" />
            <Text size="sm">{t('audit.verifying')}</Text>
          </Group>
        )}
        {run.isError && <ErrorNote error={run.error} />}
        {report && (
          <>
            <Alert color={report.whole ? 'green' : 'red'} variant="light" role="status" title={t(report.whole ? 'audit.whole' : 'audit.broken')}>
              {report.findings.slice(0, 20).map((one) => (
                <Text key={`${one.seq} ${one.words}`} size="sm">
                  {one.seq ? `${one.seq}: ` : ''}
                  {why(one.words)}
                </Text>
              ))}
            </Alert>
            <Facts
              facts={[
                [t('audit.records'), count(report.records)],
                [t('audit.anchors'), count(report.anchors)],
                [t('audit.last'), report.last],
                [t('audit.mac'), <Code key="mac" style={{ overflowWrap: 'anywhere' }}>{report.mac}</Code>],
              ]}
            />
          </>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {t('app.actions.close')}
          </Button>
          <Button onClick={() => run.mutate()} loading={run.isPending} data-autofocus>
            {t(report ? 'audit.verifyAgain' : 'audit.verifyNow')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}
