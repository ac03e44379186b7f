import { Alert, Anchor, Button, Group, List, Modal, Stack, Text, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useLocation } from 'wouter'

import { BreakGlass } from '../../access/BreakGlass'
import { roleName, scopeWords } from '../../access/scopes'
import { useMay, useSession } from '../../access/session'
import { api, data } from '../../api/client'
import type { components } from '../../api/schema'
import { ErrorNote } from '../../app/errors'
import { day, listComma } from '../../app/format'
import { handOn } from './handed'

type Own = components['schemas']['OwnExplanation']

/** "Why can I not see this study?", for the one who looks: it says nothing about what others have. */
export function Why({ number: first = '', close }: { number?: string; close: () => void }) {
  const { t } = useTranslation()
  const may = useMay()
  const [, navigate] = useLocation()
  const [typed, setTyped] = useState(first)
  const [number, setNumber] = useState(first.trim())
  const [breaking, setBreaking] = useState(false)
  const query = useQuery({
    queryKey: ['why', number],
    queryFn: () => data(api.POST('/explanations/own', { body: { number } })),
    enabled: number !== '',
    gcTime: 0,
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (typed.trim() === number) void query.refetch()
    else setNumber(typed.trim())
  }
  return (
    <Modal opened onClose={close} title={t('why.title')} size="lg">
      <Stack gap="sm">
        <form onSubmit={submit}>
          <Group align="flex-end" gap="xs" wrap="nowrap">
            <TextInput
              style={{ flex: 1 }}
              label={t('why.number')}
              maxLength={64}
              autoComplete="off"
              spellCheck={false}
              data-autofocus
              value={typed}
              onChange={(event) => setTyped(event.currentTarget.value)}
            />
            <Button type="submit" loading={query.isFetching} disabled={!typed.trim()}>
              {t('why.look')}
            </Button>
          </Group>
        </form>
        {query.isError && <ErrorNote error={query.error} again={() => void query.refetch()} />}
        {query.data && (
          <Answer
            of={query.data}
            number={number}
            close={close}
            breakGlass={query.data.may_break_glass ? () => setBreaking(true) : undefined}
          />
        )}
        {may('explain') && (
          <Button
            variant="default"
            onClick={() => {
              handOn({ number: typed.trim(), account: '' })
              close()
              navigate('/admin/why')
            }}
          >
            {t('why.inFull')}
          </Button>
        )}
      </Stack>
      {breaking && (
        <BreakGlass of={number} close={() => setBreaking(false)} done={() => void query.refetch()} />
      )}
    </Modal>
  )
}

function Answer({ of, number, close, breakGlass }: { of: Own; number: string; close: () => void; breakGlass?: () => void }) {
  const { t } = useTranslation()
  const { account } = useSession()
  return (
    <Stack gap="sm" role="status">
      {of.studies.length > 0 && (
        <Alert color="teal" variant="light" p="xs" title={t('why.youSee')}>
          <List size="sm" listStyleType="none">
            {of.studies.map((one) => (
              <List.Item key={one.study_uid}>
                {of.may_view ? (
                  <Anchor component={Link} href={`/view/${one.study_uid}`} size="sm" onClick={close}>
                    <Words of={one} />
                  </Anchor>
                ) : (
                  <Words of={one} />
                )}
              </List.Item>
            ))}
          </List>
        </Alert>
      )}
      <Text size="sm">
        {t(of.studies.length > 0 ? 'why.others' : of.may_search ? 'why.nothing' : 'why.noSearch', { number })}
      </Text>
      {of.may_search && (
        <List size="sm" spacing={2}>
          <List.Item>{t('why.perhaps.notArrived')}</List.Item>
          <List.Item>{t('why.perhaps.otherNumber')}</List.Item>
          <List.Item>{t('why.perhaps.keptAside')}</List.Item>
          <List.Item>{t('why.perhaps.rights')}</List.Item>
        </List>
      )}
      <div>
        <Text size="xs" fw={600} c="dimmed">
          {t('why.yourRights')}
        </Text>
        {of.roles.length === 0 && <Text size="sm">{t('why.noRights')}</Text>}
        {of.roles.map((one, at) => (
          <Text size="sm" key={at}>
            {roleName(one)}: {scopeWords(one.scope, t)}
          </Text>
        ))}
      </div>
      <div>
        <Text size="xs" fw={600} c="dimmed">
          {t('why.ask')}
        </Text>
        <Text size="sm">{of.ask.length > 0 ? of.ask.join(listComma()) : t('why.askAnybody')}</Text>
        <Text size="xs" c="dimmed">
          {t('why.askHow', { number, account: account.name })}
        </Text>
      </div>
      {breakGlass && (
        <Group justify="space-between" wrap="nowrap">
          <Text size="xs" c="dimmed">
            {t('why.glass.offer')}
          </Text>
          <Button color="red" variant="light" onClick={breakGlass} style={{ flex: 'none' }}>
            {t('why.glass.do')}
          </Button>
        </Group>
      )}
    </Stack>
  )
}

function Words({ of }: { of: Own['studies'][number] }) {
  return <>{[day(of.date), of.modalities.join(' '), of.accession_number, of.patient_id].filter(Boolean).join(' · ')}</>
}
