/** One person with all that is known, and what can be done about it. */
import { Anchor, Badge, Button, Loader } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { useMay } from '../access/session'
import { api, data } from '../api/client'
import { ErrorNote } from '../app/errors'
import { day, moment } from '../app/format'
import { Dim, Facts, Item, Section } from '../app/ListPage'
import { usePeople } from '../department/model'
import { Procedure, State } from '../department/State'
import { bothNames, born, spaced, type Identifier, type Person, type PersonPage } from './model'
import classes from './patients.module.css'
import { AddNumber, ChangeId, EditPerson, EndNumber } from './PersonForms'
import { PairDialog } from './PairDialog'
import { Undo } from './Undo'

type Asking = 'edit' | 'add' | 'id' | 'merge' | 'link' | { end: Identifier } | { undo: number } | null

export function PersonPanel({ id, titled }: { id: number; titled: boolean }) {
  const { t } = useTranslation()
  const may = useMay()
  const called = usePeople()
  const client = useQueryClient()
  const [asking, setAsking] = useState<Asking>(null)
  const query = useQuery({
    queryKey: ['person', id],
    queryFn: () => data(api.GET('/persons/{person}', { params: { path: { person: id } } })),
  })
  // what is there stays where reading it anew fails: a window may be open over it
  const failed = query.isError && <ErrorNote error={query.error} again={() => void query.refetch()} />
  if (!query.data) return failed || <Loader size="sm" />
  const page = query.data
  const { person } = page
  const changed = () => {
    for (const key of ['person', 'persons', 'green', 'unmatched']) void client.invalidateQueries({ queryKey: [key] })
  }
  const close = () => setAsking(null)
  const active = person.status === 'active'
  const changes = may('change-persons') && active
  const merges = may('merge') && active

  return (
    <>
      {failed}
      {!titled && <h2 className={classes.title}>{bothNames(person)}</h2>}
      {person.status === 'merged' && person.merged_into !== null && (
        <p className={classes.dim}>
          {t('patients.mergedInto')}{' '}
          <Anchor component={Link} href={`/persons/${person.merged_into}`} size="sm">
            {t('patients.openSurvivor')}
          </Anchor>
        </p>
      )}
      {(changes || merges) && (
        <div className={classes.actions}>
          {changes && (
            <Button variant="default" onClick={() => setAsking('edit')}>
              {t('patients.edit')}
            </Button>
          )}
          {merges && (
            <>
              <Button variant="default" onClick={() => setAsking('merge')}>
                {t('patients.merge')}
              </Button>
              <Button variant="default" onClick={() => setAsking('link')}>
                {t('patients.link')}
              </Button>
              <Button variant="default" onClick={() => setAsking('id')}>
                {t('patients.changeId')}
              </Button>
            </>
          )}
        </div>
      )}
      <Facts
        facts={[
          [t('patients.letters'), spaced(person.name_alphabetic)],
          [t('patients.phonetic'), spaced(person.name_phonetic)],
          [t('patients.sex'), person.sex && t(`department.sex.${person.sex}`)],
          [t('patients.birth'), born(person)],
          [t('patients.patientId'), person.patient_id],
          [t('patients.issuer'), person.issuer],
          [t('patients.phone'), person.phone],
          [t('patients.address'), person.address],
          [t('patients.status'), marks(t, person)],
          [t('patients.changed'), t('patients.by', { at: moment(person.changed_at), name: called(person.changed_by) })],
        ]}
      />
      <Section
        title={t('patients.numbers')}
        action={
          changes && (
            <Button size="compact-xs" variant="subtle" onClick={() => setAsking('add')}>
              {t('patients.addNumber')}
            </Button>
          )
        }
      >
        <Numbers page={page} end={changes ? (one) => setAsking({ end: one }) : undefined} />
      </Section>
      <Section title={t('patients.exams')}>
        {page.exams.length === 0 && <Dim>{t('patients.noExams')}</Dim>}
        {page.exams.map((exam) => (
          <Item key={exam.id} action={<State state={exam.state} />}>
            <Anchor component={Link} href={`/exams/${exam.id}`} size="sm">
              {exam.number || day(exam.ordered_at.slice(0, 10).replaceAll('-', ''))}
            </Anchor>{' '}
            <Procedure exam={exam} />
            <Dim>{moment(exam.arrived_at ?? exam.starts_at ?? exam.ordered_at)}</Dim>
          </Item>
        ))}
      </Section>
      {page.linked.length > 0 && (
        <Section title={t('patients.linked')}>
          {page.linked.map((one) => (
            <Item
              key={one.journal}
              action={
                merges && (
                  <Button size="compact-xs" variant="subtle" onClick={() => setAsking({ undo: one.journal })}>
                    {t('patients.unlink')}
                  </Button>
                )
              }
            >
              <Anchor component={Link} href={`/persons/${one.person.id}`} size="sm">
                {bothNames(one.person)}
              </Anchor>{' '}
              {one.person.patient_id}
              <Dim>{one.reason}</Dim>
            </Item>
          ))}
        </Section>
      )}
      {page.merged.length > 0 && (
        <Section title={t('patients.mergedOnes')}>
          {page.merged.map((one) => (
            <Item key={one.id}>
              {bothNames(one)} <span className={classes.dim}>{[one.patient_id, born(one)].filter(Boolean).join(' · ')}</span>
            </Item>
          ))}
        </Section>
      )}
      {page.failed.length > 0 && (
        <Section title={t('patients.failedChecks')}>
          {page.failed.map((one) => (
            <Item key={`${one.at}${one.number}`}>
              <span className={classes.bad}>{t(one.override_by ? 'department.identity.overridden' : 'department.identity.failed')}</span> ·{' '}
              {t(`department.identity.stages.${one.stage as 'exam'}`)} · {t(`department.identity.${one.document as 'NI'}`)}
              <Dim>{[t('patients.by', { at: moment(one.at), name: called(one.by) }), one.number || t('patients.notRegistered')].join(' · ')}</Dim>
            </Item>
          ))}
        </Section>
      )}
      {may('merge') && (
        <Section title={t('patients.journal')}>
          {page.journal.length === 0 && <Dim>{t('patients.noJournal')}</Dim>}
          {page.journal.map((one) => (
            <Item
              key={one.id}
              action={
                one.undone_at === null && (
                  <Button size="compact-xs" variant="subtle" onClick={() => setAsking({ undo: one.id })}>
                    {t('patients.undo')}
                  </Button>
                )
              }
            >
              {t(`patients.did.${one.kind}`)} {[one.other_name, one.other_patient_id].filter(Boolean).join(' ')}
              {one.before && ` ${one.before}${one.kind === 'change-id' ? ` → ${one.after}` : ''}`}
              <Dim>{one.reason}</Dim>
              <Dim>
                {t('patients.by', { at: moment(one.at), name: called(one.by) })}
                {one.undone_at && ` · ${t('patients.undone', { at: moment(one.undone_at), name: called(one.undone_by) })}`}
              </Dim>
            </Item>
          ))}
        </Section>
      )}
      {asking === 'edit' && <EditPerson person={person} close={close} done={changed} />}
      {asking === 'add' && <AddNumber person={person} close={close} done={changed} />}
      {asking === 'id' && <ChangeId person={person} close={close} done={changed} />}
      {(asking === 'merge' || asking === 'link') && <PairDialog what={asking} person={person} close={close} done={changed} />}
      {asking !== null && typeof asking === 'object' && 'end' in asking && <EndNumber person={person} one={asking.end} close={close} done={changed} />}
      {asking !== null && typeof asking === 'object' && 'undo' in asking && <Undo page={page} entry={asking.undo} close={close} done={changed} />}
    </>
  )
}

function marks(t: ReturnType<typeof useTranslation>['t'], person: Person) {
  const found = [
    person.status === 'merged' && t('patients.merged'),
    person.unknown && t('patients.unknown'),
    person.vip && t('patients.vipShort'),
    person.deceased && t('patients.deceased'),
  ].filter((one) => one !== false)
  return found.join(' · ')
}

function Numbers({ page, end }: { page: PersonPage; end?: (one: Identifier) => void }) {
  const { t } = useTranslation()
  const { person } = page
  const own = (one: Identifier) => one.kind === 'MR' && one.value === person.patient_id
  const shown = person.identifiers.filter((one) => !(own(one) && one.active))
  if (shown.length === 0) return <Dim>{t('patients.noNumbers')}</Dim>
  return shown.map((one) => (
    <Item
      key={one.id}
      action={
        end &&
        one.active && (
          <Button size="compact-xs" variant="subtle" onClick={() => end(one)}>
            {t('patients.endNumber')}
          </Button>
        )
      }
    >
      <span className={classes.dim}>{t(`patients.kinds.${one.kind}`)}</span> <span className={classes.number}>{one.value}</span>{' '}
      {!one.active && (
        <Badge size="xs" variant="light" color="gray" radius="xs">
          {t('patients.ended')}
        </Badge>
      )}
      {one.authority && one.authority !== person.issuer && <Dim>{one.authority}</Dim>}
    </Item>
  ))
}

