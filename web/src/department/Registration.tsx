/** Registration without an order from elsewhere: for whom, what, who asked, who it is; one page, by keyboard. */
import { Alert, Button, Checkbox, Select, Textarea, TextInput } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'

import { useMay, useSession } from '../access/session'
import { api, data } from '../api/client'
import { Problem } from '../api/problem'
import { wordsOf } from '../app/errors'
import { useShortcuts } from '../app/shortcuts'
import classes from './Department.module.css'
import { Earlier, useEarlier } from './Earlier'
import { identityBody, IdentityFields, NOT_CHECKED, type Identity } from './IdentityFields'
import { PATIENT_CLASSES, PREGNANCIES, PRIORITIES, stationOptions, useMaster, wordsOfKind, type Person } from './model'
import { PlaceSelect } from './PlaceSelect'
import { PersonPick } from './PersonPick'
import { Procedures, type WantedProcedure } from './Procedures'

const EMPTY = {
  patient_class: 'O' as (typeof PATIENT_CLASSES)[number],
  priority: 'routine' as (typeof PRIORITIES)[number],
  visit_number: '',
  admission_number: '',
  requester: '',
  department: '',
  ward: '',
  bed: '',
  diagnosis: '',
  history: '',
  purpose: '',
  pregnancy: '',
  allergies: '',
  implants: '',
}

const NEXT = 'wanted-procedure'

export default function Registration() {
  const { t } = useTranslation()
  const may = useMay()
  const session = useSession()
  const [, navigate] = useLocation()
  const client = useQueryClient()
  const master = useMaster()
  const [person, setPerson] = useState<Person | null>(null)
  const [wanted, setWanted] = useState<WantedProcedure[]>([])
  const [fields, setFields] = useState(EMPTY)
  const [identity, setIdentity] = useState<Identity>({ ...NOT_CHECKED, document: 'two-identifiers' })
  const [here, setHere] = useState(may('register'))
  const [station, setStation] = useState('')
  const [failed, setFailed] = useState<{ code: string; words: string }>()
  const [busy, setBusy] = useState(false)
  // asked for while the earlier exams were still being looked for
  const [waiting, setWaiting] = useState(false)
  // a key that is held comes again before what it began is on the screen
  const going = useRef(false)
  const set = (part: Partial<typeof EMPTY>) => {
    setWaiting(false)
    setFields((before) => ({ ...before, ...part }))
  }
  /** Of what else is asked on this page: whoever changes it has not done with it. */
  const anew = <T,>(put: (value: T) => void) => {
    return (value: T) => {
      setWaiting(false)
      put(value)
    }
  }
  const inpatient = fields.patient_class === 'I'
  const words = wordsOfKind(master.data, 'procedure')
  const modalities = new Set(wanted.map((one) => words.find((word) => word.code === one.procedure)?.more.modality))
  const modality = modalities.size === 1 ? String([...modalities][0]) : ''
  const sided = wanted.every((one) => one.side || !words.find((word) => word.code === one.procedure)?.more.sides)
  // who orders without being the desk asks for himself
  const self = may('register') ? '' : session.account.display_name || session.account.name
  const home = may('register') ? '/registration' : '/exams'
  const title = t(may('register') ? 'department.desk.new' : 'department.desk.newOrder')
  // what the department asks of every order that is no emergency
  const needs = fields.patient_class === 'E' || fields.priority === 'stat' ? [] : (master.data?.order_needs ?? [])
  const told = needs.every((name) => (name === 'requester' && self) || String(fields[name as keyof typeof EMPTY] ?? '').trim() !== '')
  const needed = (name: string) => ({ required: needs.includes(name), withAsterisk: needs.includes(name) })
  const before = useEarlier(person?.id, wanted)
  const [despite, setDespite] = useState(false)
  const complete = person !== null && told && wanted.length > 0 && sided && !busy
  const ready = complete && before !== undefined && (before.length === 0 || despite)

  const pick = (one: Person | null) => {
    setPerson(one)
    setWaiting(false)
    setDespite(false)
    // the keyboard goes on to what is asked next
    if (one) setTimeout(() => document.getElementById(NEXT)?.focus())
  }
  const submit = async () => {
    setWaiting(complete && before === undefined)
    if (!ready || going.current) return
    going.current = true
    setBusy(true)
    setFailed(undefined)
    const { pregnancy, allergies, implants, ...plain } = fields
    const cautions = Object.fromEntries(Object.entries({ pregnancy, allergies, implants }).filter(([, value]) => value.trim()))
    try {
      const made = await data(
        api.POST('/orders', {
          body: {
            ...plain,
            person: person.id,
            placer_number: '',
            procedures: wanted,
            cautions,
            arrival: here ? { exam_class: '', visit_number: '', admission_number: '', station: modality ? station : '', identity: identityBody(identity) } : undefined,
          },
        }),
      )
      const numbers = made.exams.map((one) => one.number).filter(Boolean)
      notifications.show({
        message: here ? t('department.registered', { number: numbers.join(', ') }) : t('department.ordered', { count: made.exams.length }),
        color: 'teal',
      })
      void client.invalidateQueries({ queryKey: ['exams'] })
      navigate(`/exams/${made.exams[0]!.id}`)
    } catch (error) {
      setFailed({ code: error instanceof Problem ? error.code : '', words: wordsOf(error) })
    } finally {
      going.current = false
      setBusy(false)
    }
  }

  useEffect(() => {
    if (!waiting || before === undefined) return
    // what was found is shown, and asks again
    setWaiting(false)
    void submit()
  }, [waiting, before === undefined])

  useShortcuts(title, [
    { keys: 'ctrl+Enter', words: t(here ? 'department.act.register' : 'department.act.order'), run: () => void submit(), inText: true },
    { keys: 'Escape', words: t('app.actions.back'), run: () => navigate(home) },
  ])

  const text = (name: 'requester' | 'bed' | 'visit_number' | 'admission_number' | 'allergies' | 'implants', span: string, label: string, most = 64) => (
    <TextInput className={classes[`span${span}`]} label={label} {...needed(name)} placeholder={name === 'requester' ? self : undefined} maxLength={most} value={fields[name]} onChange={(event) => set({ [name]: event.currentTarget.value })} />
  )
  const shown = failed && identity.despite === '' && !['identity-failed', 'document-elsewhere'].includes(failed.code)
  return (
    <div className={classes.sheet}>
      <div className={classes.sheetInner}>
        <div className={classes.head}>
          <h1 className={classes.title}>{title}</h1>
        </div>
        <div className={classes.columns}>
          <div style={{ display: 'grid', gap: '0.75rem' }}>
            <PersonPick person={person} pick={pick} />
            <Procedures
              wanted={wanted}
              set={(now) => {
                setWanted(now)
                setWaiting(false)
                // said of what was wanted before
                setDespite(false)
              }}
              id={NEXT}
            />
            <Earlier found={before ?? []} despite={despite} set={setDespite} />
            {may('register') && (
              <section className={classes.block}>
                <h2 className={classes.blockTitle}>
                  {t('department.arrival')}
                  <Checkbox label={t('department.isHere')} checked={here} onChange={(event) => anew(setHere)(event.currentTarget.checked)} />
                </h2>
                {here ? (
                  <>
                    <IdentityFields identity={identity} set={anew(setIdentity)} failed={failed} onScanned={() => void submit()} />
                    {modality && (
                      <Select
                        mt="sm"
                        label={t('department.station')}
                        placeholder={t('department.anyStation')}
                        data={stationOptions(master.data?.stations ?? [], modality)}
                        value={station || null}
                        onChange={(value) => anew(setStation)(value ?? '')}
                        clearable
                      />
                    )}
                  </>
                ) : (
                  <span className={classes.dim} style={{ fontSize: '0.8125rem' }}>
                    {t('department.notHere')}
                  </span>
                )}
              </section>
            )}
          </div>
          <section className={classes.block}>
            <h2 className={classes.blockTitle}>{t('department.order')}</h2>
            <div className={classes.form}>
              <Select
                className={classes.span3}
                label={t('department.patientClass')}
                data={PATIENT_CLASSES.map((one) => ({ value: one, label: t(`department.patientClasses.${one}`) }))}
                value={fields.patient_class}
                onChange={(value) => set({ patient_class: (value as 'O') ?? 'O' })}
                allowDeselect={false}
              />
              {inpatient ? text('admission_number', '3', t('department.admissionNumber')) : text('visit_number', '3', t('department.visitNumber'))}
              <Select
                className={classes.span3}
                label={t('department.priority')}
                data={PRIORITIES.map((one) => ({ value: one, label: t(`department.priorities.${one}`) }))}
                value={fields.priority}
                onChange={(value) => set({ priority: (value as 'routine') ?? 'routine' })}
                allowDeselect={false}
              />
              {text('requester', '3', t('department.requesterName'), 200)}
              <PlaceSelect className={classes.span3} {...needed('department')} kind="department" label={t('department.requestingDepartment')} value={fields.department} set={(department) => set({ department })} />
              {inpatient && (
                <>
                  <PlaceSelect className={classes.span2} kind="ward" label={t('department.ward')} value={fields.ward} set={(ward) => set({ ward })} />
                  {text('bed', '2', t('department.bed'), 16)}
                </>
              )}
              {(['diagnosis', 'history', 'purpose'] as const).map((name) => (
                <Textarea
                  key={name}
                  className={classes.span6}
                  {...needed(name)}
                  label={t(`department.${name === 'history' ? 'clinicalHistory' : name}`)}
                  autosize
                  minRows={name === 'history' ? 2 : 1}
                  maxLength={4000}
                  value={fields[name]}
                  onChange={(event) => set({ [name]: event.currentTarget.value })}
                />
              ))}
              {person?.sex !== 'M' && (
                <Select
                  className={classes.span2}
                  label={t('department.cautions.pregnancy')}
                  data={PREGNANCIES.map((one) => ({ value: one, label: t(`department.pregnancies.${one}`) }))}
                  value={fields.pregnancy || null}
                  onChange={(value) => set({ pregnancy: value ?? '' })}
                  clearable
                />
              )}
              {text('allergies', '2', t('department.cautions.allergies'), 200)}
              {text('implants', '2', t('department.cautions.implants'), 200)}
            </div>
          </section>
        </div>
        <div className={classes.bar}>
          {shown && (
            <Alert color="red" variant="light" p="xs" role="alert" style={{ flex: 1 }}>
              {failed.words}
            </Alert>
          )}
          <Button variant="default" onClick={() => navigate(home)}>
            {t('app.actions.cancel')}
          </Button>
          <Button onClick={() => void submit()} loading={busy || waiting} disabled={!ready && !(complete && before === undefined)}>
            {here ? t('department.act.register') : t('department.act.order')}
          </Button>
        </div>
      </div>
    </div>
  )
}
