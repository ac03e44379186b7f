import { Button, Center, Stack, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

export function NotFound() {
  const { t } = useTranslation()
  return (
    <Center h="100%" p="xl">
      <Stack align="center" maw={420}>
        <Text fw={600}>{t('app.errors.notFound')}</Text>
        <Text size="sm" c="dimmed" ta="center">
          {t('app.errors.notFoundHelp')}
        </Text>
        <Button component={Link} href="/studies" variant="light">
          {t('app.nav.studies')}
        </Button>
      </Stack>
    </Center>
  )
}
