/** Everybody whom the department knows. */
import { Badge, Button, Checkbox, Modal, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { IconSearch, IconUserPlus } from '@tabler/icons-react'
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'

import { useMay } from '../access/session'
import { api, data } from '../api/client'
import type { Column } from '../app/Grid'
import { ListPage } from '../app/ListPage'
import { useShortcuts } from '../app/shortcuts'
import { NewPerson } from '../department/NewPerson'
import { bothNames, born, spaced, type Person } from './model'
import classes from './patients.module.css'
import { PersonPanel } from './PersonPanel'
import { Tabs } from './Tabs'

export default function Persons() {
  const { t } = useTranslation()
  const may = useMay()
  const client = useQueryClient()
  const [at, navigate] = useLocation()
  const [typed, setTyped] = useState('')
  const [text] = useDebouncedValue(typed.trim(), 200)
  const [merged, setMerged] = useState(false)
  const [making, setMaking] = useState(false)
  const box = useRef<HTMLInputElement>(null)
  const chosen = /^\/persons\/(\d+)$/.exec(at)?.[1] ?? null
  const choose = (id: string | null) => navigate(id === null ? '/persons' : `/persons/${id}`, { replace: chosen !== null })

  const query = useQuery({
    queryKey: ['persons', text, merged],
    queryFn: () => data(api.POST('/persons/search', { body: { text, limit: 100, merged } })),
    enabled: text !== '',
    placeholderData: keepPreviousData,
  })
  const rows = text === '' ? [] : (query.data?.persons ?? [])

  useShortcuts(t('patients.persons'), [
    { keys: '/', words: t('patients.findLabel'), run: () => box.current?.focus() },
    ...(may('change-persons') ? [{ keys: 'n', words: t('patients.new'), run: () => setMaking(true) }] : []),
  ])

  const columns = useMemo<Column<Person>[]>(
    () => [
      {
        id: 'name',
        title: t('patients.name'),
        width: 190,
        cell: (row) => (
          <>
            {row.name}
            {row.vip && (
              <Badge ml={6} size="xs" variant="light" color="violet" radius="xs">
                {t('patients.vipShort')}
              </Badge>
            )}
            {row.status === 'merged' && <span className={classes.dim}> · {t('patients.merged')}</span>}
          </>
        ),
      },
      { id: 'letters', title: t('patients.letters'), width: 190, cell: (row) => spaced(row.name_alphabetic) },
      { id: 'sex', title: t('patients.sex'), width: 56, cell: (row) => row.sex && t(`department.sex.${row.sex}`) },
      { id: 'birth', title: t('patients.birth'), width: 150, cell: born },
      { id: 'patientId', title: t('patients.patientId'), width: 130, cell: (row) => row.patient_id },
      { id: 'phone', title: t('patients.phone'), width: 120, cell: (row) => row.phone },
      { id: 'numbers', title: t('patients.numbers'), width: 240, cell: numbers },
    ],
    [t],
  )
  const person = rows.find((one) => String(one.id) === chosen)
  return (
    <>
      <ListPage
        title={t('patients.tabs')}
        name="persons"
        tools={
          <>
            <Tabs />
            <TextInput
              ref={box}
              w={320}
              maw="100%"
              aria-label={t('patients.findLabel')}
              placeholder={t('patients.find')}
              leftSection={<IconSearch size={14} />}
              autoFocus
              autoComplete="off"
              spellCheck={false}
              maxLength={100}
              value={typed}
              onChange={(event) => setTyped(event.currentTarget.value)}
              onKeyDown={(event) => {
                if (event.key === 'Enter' && rows.length === 1 && text === typed.trim()) choose(String(rows[0]!.id))
              }}
            />
            <Checkbox label={t('patients.withMerged')} checked={merged} onChange={(event) => setMerged(event.currentTarget.checked)} />
            {may('change-persons') && (
              <Button variant="default" leftSection={<IconUserPlus size={14} />} onClick={() => setMaking(true)}>
                {t('patients.new')}
              </Button>
            )}
          </>
        }
        found={text !== '' && query.data && t('patients.found', { count: rows.length })}
        columns={columns}
        rows={rows}
        rowId={(row) => String(row.id)}
        query={{ ...query, isPending: text !== '' && query.isPending }}
        empty={t(text === '' ? 'patients.type' : 'patients.nobody')}
        chosen={chosen}
        choose={choose}
        detailsTitle={person && bothNames(person)}
        details={chosen && <PersonPanel key={chosen} id={Number(chosen)} titled={Boolean(person)} />}
      />
      {making && (
        <Modal opened onClose={() => setMaking(false)} size="lg" withCloseButton={false} padding="md">
          <NewPerson
            typed={typed}
            close={() => setMaking(false)}
            done={(made) => {
              setMaking(false)
              setTyped(made.patient_id)
              void client.invalidateQueries({ queryKey: ['persons'] })
              choose(String(made.id))
            }}
          />
        </Modal>
      )}
    </>
  )
}

/** The numbers in force besides the patient ID. */
function numbers(person: Person): string {
  return person.identifiers
    .filter((one) => one.active && one.value !== person.patient_id)
    .map((one) => one.value)
    .join(', ')
}
