/** For whom: found by name, letters, initials, any number; or made known, with a warning where somebody is like that. */
import { Button, Loader, Text, TextInput, UnstyledButton } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { IconSearch, IconUserPlus } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useMay } from '../access/session'
import { api, data } from '../api/client'
import { ErrorNote } from '../app/errors'
import { day } from '../app/format'
import classes from './Department.module.css'
import { ageOf, type Person } from './model'
import { NewPerson } from './NewPerson'

interface Props {
  person: Person | null
  pick: (person: Person | null) => void
}

export function PersonPick({ person, pick }: Props) {
  const { t } = useTranslation()
  const may = useMay()
  const [typed, setTyped] = useState('')
  const [text] = useDebouncedValue(typed.trim(), 200)
  const [active, setActive] = useState(0)
  const [making, setMaking] = useState(false)
  const query = useQuery({
    queryKey: ['persons', text],
    queryFn: () => data(api.POST('/persons/search', { body: { text, limit: 20, merged: false } })),
    enabled: text !== '' && person === null && !making,
  })
  const found = query.data?.persons ?? []

  if (person) {
    return (
      <div className={classes.block}>
        <h2 className={classes.blockTitle}>
          {t('department.person.title')}
          <Button size="compact-xs" variant="subtle" onClick={() => pick(null)}>
            {t('department.person.other')}
          </Button>
        </h2>
        <PersonLine person={person} />
      </div>
    )
  }
  if (making) {
    return <NewPerson typed={typed} done={pick} close={() => setMaking(false)} />
  }
  return (
    <div className={classes.block}>
      <h2 className={classes.blockTitle}>
        {t('department.person.title')}
        {may('change-persons') && (
          <Button size="compact-xs" variant="subtle" leftSection={<IconUserPlus size={13} />} onClick={() => setMaking(true)}>
            {t('department.person.new')}
          </Button>
        )}
      </h2>
      <TextInput
        aria-label={t('department.person.find')}
        placeholder={t('department.person.find')}
        leftSection={<IconSearch size={15} />}
        autoFocus
        autoComplete="off"
        spellCheck={false}
        maxLength={100}
        value={typed}
        onChange={(event) => {
          setTyped(event.currentTarget.value)
          setActive(0)
        }}
        onKeyDown={(event) => {
          if (event.key === 'ArrowDown') setActive(Math.min(active + 1, found.length - 1))
          else if (event.key === 'ArrowUp') setActive(Math.max(active - 1, 0))
          else if (event.key === 'Enter' && text === typed.trim() && query.isSuccess) {
            if (found[active]) pick(found[active])
            else if (may('change-persons')) setMaking(true)
          } else return
          event.preventDefault()
        }}
      />
      {query.isError && <ErrorNote error={query.error} again={() => void query.refetch()} />}
      <div className={classes.found} role={found.length > 0 ? 'listbox' : undefined} aria-label={found.length > 0 ? t('department.person.find') : undefined}>
        {found.map((one, at) => (
          <UnstyledButton key={one.id} className={classes.choice} data-active={at === active || undefined} role="option" aria-selected={at === active} onClick={() => pick(one)}>
            <PersonLine person={one} />
          </UnstyledButton>
        ))}
        {text !== '' && query.isFetching && <Loader size="xs" m="xs" />}
        {text !== '' && query.isSuccess && found.length === 0 && (
          <Text size="sm" c="dimmed" p="xs">
            {t(may('change-persons') ? 'department.person.none' : 'department.person.noneAtAll')}
          </Text>
        )}
        {text === '' && (
          <Text size="sm" c="dimmed" p="xs">
            {t('department.person.help')}
          </Text>
        )}
      </div>
    </div>
  )
}

export function PersonLine({ person }: { person: Person }) {
  const { t } = useTranslation()
  const letters = person.name_ideographic ? person.name_alphabetic.replaceAll('^', ' ') : ''
  return (
    <span>
      <span className={classes.name}>{person.name}</span>
      {letters && <span className={classes.dim}> {letters}</span>}
      <span className={classes.dim} style={{ display: 'block' }}>
        {[
          person.sex && t(`department.sex.${person.sex as 'M'}`),
          person.birth_date && `${day(person.birth_date)} (${ageOf(person.birth_date)})`,
          person.patient_id,
          person.phone,
        ]
          .filter(Boolean)
          .join(' · ')}
      </span>
    </span>
  )
}
