/** What stands at the head of every printed report: names of hospital and department, the logo. */
import { Alert, Button, Container, FileButton, Group, Image, Loader, SimpleGrid, Stack, Text, TextInput } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { IconFileTypePdf, IconPhoto, IconX } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { ErrorNote, wordsOf } from '../app/errors'
import head from '../app/ListPage.module.css'

type Words = components['schemas']['LetterheadWords']
const NAMES = ['hospital_zh', 'hospital_en', 'department_zh', 'department_en'] as const
/** Bytes; the server says the same. */
const MOST = 256 * 1024

export default function Letterhead() {
  const { t } = useTranslation()
  const query = useQuery({ queryKey: ['letterhead'], queryFn: () => data(api.GET('/letterhead')) })
  return (
    <>
      <div className={head.head}>
        <h1 className={head.title}>{t('reporting.letterhead.title')}</h1>
      </div>
      <Container size="sm" px="md" py="md" ml={0}>
        {query.isError && <ErrorNote error={query.error} again={() => void query.refetch()} />}
        {query.isPending && <Loader size="sm" />}
        {query.data && <Form words={query.data} />}
      </Container>
    </>
  )
}

function Form({ words }: { words: Words }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [fields, setFields] = useState(words)
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)
  const different = [...NAMES, 'logo' as const].some((name) => fields[name] !== words[name])

  const take = async (file: File | null) => {
    if (!file) return
    if (file.size > MOST) return setError(t('reporting.letterhead.tooLarge', { most: MOST / 1024 }))
    const bytes = new Uint8Array(await file.arrayBuffer())
    setError('')
    setFields((before) => ({ ...before, logo: btoa(Array.from(bytes, (one) => String.fromCharCode(one)).join('')) }))
  }
  const save = async () => {
    setBusy(true)
    setError('')
    try {
      await api.PUT('/letterhead', { body: { ...fields, logo: fields.logo === words.logo ? null : fields.logo } })
      client.setQueryData(['letterhead'], fields)
      notifications.show({ message: t('reporting.letterhead.saved'), color: 'teal' })
    } catch (failure) {
      setError(wordsOf(failure))
    } finally {
      setBusy(false)
    }
  }

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        void save()
      }}
    >
      <Stack gap="md">
        <Text size="sm" c="dimmed">
          {t('reporting.letterhead.help')}
        </Text>
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
          {NAMES.map((name) => (
            <TextInput
              key={name}
              label={t(`reporting.letterhead.${name}`)}
              maxLength={100}
              value={fields[name]}
              onChange={(event) => {
                const value = event.currentTarget.value
                setFields((before) => ({ ...before, [name]: value }))
              }}
            />
          ))}
        </SimpleGrid>
        <div>
          <Text size="xs" fw={500} mb={4}>
            {t('reporting.letterhead.logo')}
          </Text>
          <Group gap="sm" align="center">
            {fields.logo && (
              // as on paper, which is white
              <Image src={`data:;base64,${fields.logo}`} alt={t('reporting.letterhead.logo')} h={56} w="auto" maw={220} fit="contain" bg="#fff" p={4} radius="sm" />
            )}
            <FileButton accept="image/png,image/jpeg" onChange={(file) => void take(file)}>
              {(props) => (
                <Button {...props} variant="default" leftSection={<IconPhoto size={14} />}>
                  {t(fields.logo ? 'reporting.letterhead.otherLogo' : 'reporting.letterhead.chooseLogo')}
                </Button>
              )}
            </FileButton>
            {fields.logo && (
              <Button variant="subtle" color="gray" leftSection={<IconX size={14} />} onClick={() => setFields((before) => ({ ...before, logo: '' }))}>
                {t('reporting.letterhead.noLogo')}
              </Button>
            )}
          </Group>
        </div>
        {error && (
          <Alert color="red" variant="light" p="xs" role="alert">
            {error}
          </Alert>
        )}
        <Group>
          <Button type="submit" loading={busy} disabled={!different}>
            {t('app.actions.save')}
          </Button>
          <Button variant="default" component="a" href="/api/letterhead/specimen" target="_blank" leftSection={<IconFileTypePdf size={14} />}>
            {t('reporting.letterhead.specimen')}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
