import { Button, Collapse, Group, MultiSelect, Select, TextInput } from '@mantine/core'
import { DateInput } from '@mantine/dates'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useMemo, useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import { useSearch } from 'wouter'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { moment } from '../app/format'
import type { Column } from '../app/Grid'
import { Dot, Facts, ListPage, Section } from '../app/ListPage'
import { usePeople } from '../department/model'
import { detailsOf, reasonOf, whatOf } from './entry'
import { VerifyAudit } from './VerifyAudit'

type Entry = components['schemas']['AuditEntry']
type Search = components['schemas']['AuditSearch']
type Kind = NonNullable<Search['kinds']>[number]
type Outcome = NonNullable<Search['outcome']>

const KINDS: Kind[] = [
  'sign-in', 'sign-out', 'search', 'view', 'store', 'import', 'send-begun', 'send', 'export', 'print', 'share',
  'correct', 'reject', 'revoke', 'decide', 'purge', 'break-glass', 'access', 'devices', 'config', 'backup',
  'restore', 'audit', 'network', 'refusal', 'alert', 'start', 'stop',
]
const HOW = { success: 'good', refused: 'warn', failed: 'bad' } as const

interface Wanted {
  who: string
  patient: string
  study: string
  host: string
  kinds: Kind[]
  outcome: Outcome | null
  from: string | null
  to: string | null
}
const NOTHING: Wanted = { who: '', patient: '', study: '', host: '', kinds: [], outcome: null, from: null, to: null }

/** What the address asks for: the bell leads to alerts. */
function begun(search: string): Wanted {
  const kind = new URLSearchParams(search).get('kind')
  return { ...NOTHING, kinds: KINDS.filter((one) => one === kind) }
}

function nextDay(day: string): string {
  const at = new Date(`${day}T00:00:00`)
  at.setDate(at.getDate() + 1)
  return at.toISOString()
}

export default function Audit() {
  const search = useSearch()
  return <Trail key={search} search={search} />
}

function Trail({ search }: { search: string }) {
  const { t } = useTranslation()
  const [fields, setFields] = useState<Wanted>(() => begun(search))
  const [wanted, setWanted] = useState<Wanted>(fields)
  const [more, setMore] = useState(fields.kinds.length > 0)
  const [chosen, choose] = useState<string | null>(null)
  const [verifying, setVerifying] = useState(false)
  const set = (part: Partial<Wanted>) => setFields((before) => ({ ...before, ...part }))

  const query = useInfiniteQuery({
    queryKey: ['audit', wanted],
    initialPageParam: 0,
    queryFn: ({ pageParam, signal }) =>
      data(
        api.POST('/audit/search', {
          signal,
          body: {
            who: wanted.who.trim(),
            patient: wanted.patient.trim(),
            study: wanted.study.trim(),
            host: wanted.host.trim(),
            kinds: wanted.kinds,
            outcome: wanted.outcome,
            since: wanted.from ? new Date(`${wanted.from}T00:00:00`).toISOString() : null,
            until: wanted.to ? nextDay(wanted.to) : null,
            before: pageParam,
            limit: 100,
          },
        }),
      ),
    getNextPageParam: (page) => page.next || undefined,
    // each search is told to the trail: none is made that nobody asked for
    staleTime: Infinity,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  })
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.entries) ?? [], [query.data])
  const one = rows.find((row) => String(row.seq) === chosen)

  const columns = useMemo<Column<Entry>[]>(
    () => [
      { id: 'at', title: t('audit.at'), width: 150, cell: (row) => exact(row.at) },
      { id: 'outcome', title: t('audit.outcome'), width: 90, cell: (row) => <Result of={row} /> },
      { id: 'kind', title: t('audit.kind'), width: 130, cell: (row) => t(`audit.kinds.${row.kind}`, row.kind) },
      { id: 'who', title: t('audit.who'), width: 130, cell: (row) => row.who },
      { id: 'host', title: t('audit.host'), width: 120, cell: (row) => row.host },
      { id: 'patient', title: t('audit.patient'), width: 150, cell: (row) => row.patients.join(', ') },
      { id: 'what', title: t('audit.what'), width: 170, cell: (row) => [whatOf(row, t), row.query].filter(Boolean).join(': ') },
      { id: 'reason', title: t('audit.reason'), width: 220, cell: (row) => reasonOf(row, t) },
      { id: 'study', title: t('audit.study'), width: 280, cell: (row) => row.studies.join(', ') },
    ],
    [t],
  )

  const submit = (event: FormEvent) => {
    event.preventDefault()
    choose(null)
    // the same again means: what is new
    if (wanted === fields) void query.refetch()
    else setWanted(fields)
  }
  const text = (name: 'who' | 'patient' | 'study' | 'host', width: number) => (
    <TextInput
      aria-label={t(`audit.${name}`)}
      placeholder={t(`audit.${name}`)}
      w={width}
      maxLength={name === 'study' ? 64 : 200}
      value={fields[name]}
      onChange={(event) => set({ [name]: event.currentTarget.value })}
    />
  )
  const date = (name: 'from' | 'to') => (
    <DateInput
      size="xs"
      w={120}
      aria-label={t(`audit.${name}`)}
      placeholder={t(`audit.${name}`)}
      valueFormat="YYYY-MM-DD"
      clearable
      value={fields[name]}
      onChange={(value) => set({ [name]: value })}
    />
  )

  return (
    <>
      <ListPage
        title={t('admin.sections.audit')}
        name="audit"
        found={query.data && t('audit.found', { count: rows.length }) + (query.hasNextPage ? '+' : '')}
        tools={
          <form onSubmit={submit}>
            <Group gap="xs">
              {text('patient', 150)}
              {text('who', 120)}
              {date('from')}
              {date('to')}
              <Button type="submit" loading={query.isFetching && !query.isFetchingNextPage}>
                {t('app.actions.search')}
              </Button>
              <Button variant="subtle" color="gray" onClick={() => setMore(!more)} aria-expanded={more}>
                {t(more ? 'audit.fewer' : 'audit.more')}
              </Button>
              <Button
                variant="subtle"
                color="gray"
                onClick={() => {
                  setFields(NOTHING)
                  setWanted(NOTHING)
                }}
              >
                {t('app.actions.clear')}
              </Button>
              <Button variant="default" onClick={() => setVerifying(true)}>
                {t('audit.verify')}
              </Button>
            </Group>
            <Collapse expanded={more}>
              <Group gap="xs" mt="xs">
                <MultiSelect
                  aria-label={t('audit.kind')}
                  placeholder={fields.kinds.length ? undefined : t('audit.kind')}
                  w={{ base: '100%', sm: 300 }}
                  data={KINDS.map((value) => ({ value, label: t(`audit.kinds.${value}`) }))}
                  value={fields.kinds}
                  clearable
                  searchable
                  onChange={(kinds) => set({ kinds: kinds as Kind[] })}
                />
                <Select
                  aria-label={t('audit.outcome')}
                  placeholder={t('audit.outcome')}
                  w={120}
                  data={(['success', 'refused', 'failed'] as const).map((value) => ({ value, label: t(`audit.outcomes.${value}`) }))}
                  value={fields.outcome}
                  clearable
                  onChange={(value) => set({ outcome: value as Outcome | null })}
                />
                {text('host', 140)}
                {text('study', 280)}
              </Group>
            </Collapse>
          </form>
        }
        columns={columns}
        rows={rows}
        rowId={(row) => String(row.seq)}
        query={query}
        empty={t('audit.none')}
        chosen={chosen}
        choose={choose}
        onEnd={() => query.hasNextPage && !query.isFetching && void query.fetchNextPage()}
        detailsTitle={one && t('audit.entry', { number: one.seq })}
        details={one && <EntryDetails of={one} />}
      />
      {verifying && <VerifyAudit close={() => setVerifying(false)} />}
    </>
  )
}

/** To the second: in a trail it matters what came first. */
function exact(value: string): string {
  return `${moment(value)}:${String(new Date(value).getSeconds()).padStart(2, '0')}`
}

function Result({ of }: { of: Entry }) {
  const { t } = useTranslation()
  const outcome = of.outcome as Outcome
  return <Dot how={HOW[outcome]}>{t(`audit.outcomes.${outcome}`)}</Dot>
}

function EntryDetails({ of }: { of: Entry }) {
  const { t } = useTranslation()
  const name = usePeople()(of.who)
  const detail = detailsOf(of, t)
  return (
    <>
      <Facts
        facts={[
          [t('audit.at'), exact(of.at)],
          [t('audit.outcome'), <Result of={of} />],
          [t('audit.kind'), t(`audit.kinds.${of.kind}`, of.kind)],
          [t('audit.what'), whatOf(of, t)],
          // by the account it is looked for
          [t('audit.who'), of.who_kind === 'user' && name !== of.who ? `${name} (${of.who})` : of.who],
          [t('audit.whoKind'), t(`audit.whoKinds.${of.who_kind}`, of.who_kind)],
          [t('audit.host'), of.host],
          [t('audit.patient'), of.patients.join(', ')],
          [t('audit.study'), of.studies.join(', ')],
          [t('audit.query'), of.query],
          [t('audit.reason'), reasonOf(of, t)],
          [t('audit.server'), of.server],
        ]}
      />
      {detail.length > 0 && (
        <Section title={t('audit.detail')}>
          <Facts facts={detail} />
        </Section>
      )}
    </>
  )
}
