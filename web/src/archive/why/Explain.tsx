import { Alert, Autocomplete, Button, Loader, Stack, Text, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState, type FormEvent, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { roleName, scopeWords } from '../../access/scopes'
import { useMay } from '../../access/session'
import { api, data } from '../../api/client'
import type { components } from '../../api/schema'
import { ErrorNote } from '../../app/errors'
import { count, day, moment } from '../../app/format'
import { Dim, Dot, Facts } from '../../app/ListPage'
import head from '../../app/ListPage.module.css'
import classes from './Explain.module.css'
import { takeHanded, type Handed } from './handed'

type Explanation = components['schemas']['ExplanationWords']
type Explained = components['schemas']['ExplainedStudy']
type Event = components['schemas']['EventWords']

const NOTHING: Handed = { number: '', account: '' }

/** Why somebody does not find a study, for those whom people ask: numbers, rights and whereabouts. */
export default function Explain() {
  const { t } = useTranslation()
  const may = useMay()
  const [typed, setTyped] = useState<Handed>(() => takeHanded() ?? NOTHING)
  const [asked, setAsked] = useState<Handed>(typed)
  const people = useQuery({
    queryKey: ['users', 'names'],
    queryFn: () => data(api.GET('/users')),
    enabled: may('users') || may('access-review'),
  })
  const query = useQuery({
    queryKey: ['explained', asked],
    queryFn: () => data(api.POST('/explanations', { body: asked })),
    enabled: asked.number !== '',
    gcTime: 0,
    retry: false,
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const wanted = { number: typed.number.trim(), account: typed.account.trim() }
    if (wanted.number === asked.number && wanted.account === asked.account) void query.refetch()
    else setAsked(wanted)
  }
  return (
    <div className={classes.page}>
      <form className={head.head} onSubmit={submit}>
        <h1 className={head.title}>{t('admin.sections.why')}</h1>
        <TextInput
          className={classes.number}
          aria-label={t('why.number')}
          placeholder={t('why.number')}
          maxLength={64}
          autoComplete="off"
          spellCheck={false}
          autoFocus
          value={typed.number}
          onChange={(event) => setTyped({ ...typed, number: event.currentTarget.value })}
        />
        <Autocomplete
          size="xs"
          w={190}
          aria-label={t('why.account')}
          placeholder={t('why.account')}
          maxLength={64}
          limit={50}
          data={people.data?.users.map((one) => one.name) ?? []}
          value={typed.account}
          onChange={(account) => setTyped({ ...typed, account })}
        />
        <Button type="submit" loading={query.isFetching} disabled={!typed.number.trim()}>
          {t('why.look')}
        </Button>
      </form>
      <div className={classes.body} aria-live="polite">
        {query.isError && <ErrorNote error={query.error} again={() => void query.refetch()} />}
        {query.isLoading && <Loader size="sm" />}
        {asked.number === '' && (
          <Text size="sm" c="dimmed" maw={560}>
            {t('why.helpInFull')}
          </Text>
        )}
        {query.data && <Found of={query.data} number={asked.number} />}
      </div>
    </div>
  )
}

function Found({ of, number }: { of: Explanation; number: string }) {
  const { t } = useTranslation()
  const nothing = of.studies.length === 0 && of.quarantined.length === 0 && of.events.length === 0
  return (
    <Stack gap="md" maw={860}>
      {of.account && (!of.account_enabled || of.account_locked) && (
        <Alert color="red" variant="light" p="xs">
          {t(of.account_enabled ? 'why.full.locked' : 'why.full.disabled', { account: of.account })}
        </Alert>
      )}
      {nothing && (
        <Alert color="gray" variant="light" p="xs" title={t('why.full.nothing', { number })}>
          <Text size="sm">{t('why.full.nothingHelp')}</Text>
        </Alert>
      )}
      {of.studies.map((one) => (
        <Study key={`${one.study_uid} ${one.patient_id}`} of={one} account={of.account} />
      ))}
      {of.quarantined.length > 0 && (
        <Lines title={t('why.full.quarantined')}>
          {of.quarantined.map((one, at) => (
            <Text size="sm" key={at}>
              {t('why.full.quarantinedLine', {
                count: one.objects,
                cause: t(`stewards.causes.${one.cause}`, { defaultValue: one.cause }),
                source: one.source,
                since: moment(one.since),
              })}
            </Text>
          ))}
        </Lines>
      )}
      {of.events.length > 0 && <Events title={t('why.full.events')} of={of.events} />}
      {of.turned_away.length > 0 && <Events title={t('why.full.turnedAway')} of={of.turned_away} />}
    </Stack>
  )
}

function Lines({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className={classes.card}>
      <h2 className={classes.title}>{title}</h2>
      {children}
    </section>
  )
}

function Events({ title, of }: { title: string; of: Event[] }) {
  const { t } = useTranslation()
  return (
    <Lines title={title}>
      {of.map((one, at) => (
        <Text size="sm" key={at}>
          {[moment(one.at), t(`why.full.${one.what}`), [one.who, one.host].filter(Boolean).join(' @ '), one.reason]
            .filter(Boolean)
            .join(' · ')}
        </Text>
      ))}
    </Lines>
  )
}

function Study({ of, account }: { of: Explained; account: string }) {
  const { t } = useTranslation()
  const hidden = of.rejected
  const whole = hidden !== null && of.instances === 0
  return (
    <section className={classes.card}>
      <h2 className={classes.title}>
        {[day(of.date), of.modalities.join(' '), of.accession_number].filter(Boolean).join(' · ') || of.study_uid}
      </h2>
      {account && (
        <p className={classes.verdict}>
          <Dot how={of.seen ? 'good' : 'bad'}>
            {t(of.seen ? 'why.full.sees' : of.rights_reach ? 'why.full.reaches' : 'why.full.doesNot', { account })}
          </Dot>
        </p>
      )}
      <ul className={classes.reasons}>
        {of.by !== 'study-uid' && of.by !== 'accession' && <li>{t(`why.full.by.${of.by}`)}</li>}
        {hidden && (
          <li>
            {t(whole ? 'why.full.rejectedAll' : 'why.full.rejectedSome', { count: hidden.objects })}{' '}
            {[t(`archive.reject.code_${hidden.code}`, { defaultValue: hidden.code }), hidden.by, moment(hidden.at), hidden.reason]
              .filter(Boolean)
              .join(' · ')}
          </li>
        )}
        {!hidden && of.instances === 0 && <li>{t('why.full.empty')}</li>}
        {of.sensitive && <li>{t('why.full.sensitive')}</li>}
        {of.other_patients > 0 && <li>{t('why.full.otherPatients', { count: of.other_patients })}</li>}
        {of.in_doubt && <li>{t('why.full.inDoubt')}</li>}
        {of.opened.map((one, at) => (
          <li key={at}>
            {t(`why.full.${one.how}${one.in_force ? 'Open' : 'Over'}`, { until: moment(one.until) })}
          </li>
        ))}
      </ul>
      {account && (
        <div className={classes.grants}>
          <Dim>{t('why.full.grants', { account })}</Dim>
          {of.grants.length === 0 && <Text size="sm">{t('why.full.noGrants')}</Text>}
          {of.grants.map((one, at) => (
            <div key={at} className={classes.grant}>
              <Dot how={one.misses.length === 0 ? 'good' : 'bad'}>
                {roleName({ ...one.role })}: {scopeWords(one.scope, t)}
              </Dot>
              {one.misses.map((miss) => (
                <div key={miss} className={classes.miss}>
                  {t(`why.full.misses.${miss}`, {
                    site: of.site || t('why.full.noneWritten'),
                    department: of.department || t('why.full.noneWritten'),
                    modalities: of.modalities.join(', '),
                    until: moment(one.until),
                  })}
                </div>
              ))}
            </div>
          ))}
        </div>
      )}
      <Facts
        facts={[
          [t('archive.column.patientId'), [of.patient_id, of.issuer].filter(Boolean).join(' · ')],
          [t('archive.column.accession'), of.accession_number],
          [t('why.full.uid'), of.study_uid],
          [t('archive.column.images'), count(of.instances)],
          [t('archive.column.received'), moment(of.received_at)],
          [t('why.full.site'), of.site],
          [t('why.full.department'), of.department],
          [t('why.full.ward'), of.ward],
          [t('why.full.requestedBy'), of.requested_by],
        ]}
      />
    </section>
  )
}
