/** One exam at a device: what is asked, what is done with it, and whether its images are all there. */
import { Anchor, Button, CloseButton, Loader, Progress as Bar } from '@mantine/core'
import { IconCopy, IconPhoto } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { useMay } from '../../access/session'
import { api, data } from '../../api/client'
import { ErrorNote } from '../../app/errors'
import { day, moment } from '../../app/format'
import { Dim, Facts, Item, Section } from '../../app/ListPage'
import { MoveImages } from '../../patients/MoveImages'
import { ageOf, spokenNames } from '../model'
import { Safety, SafetyBadge } from '../Safety'
import { Procedure, Stat, State } from '../State'
import { Doing, type Deed, type Plain } from './Doing'
import { Checks, lastCheck } from './IdentityStep'
import { Making } from './Making'
import type { Page } from './model'
import classes from './Work.module.css'

/** What can be done with an exam, by its state; the first is what comes next. */
const DEEDS: Record<string, Plain[]> = {
  E30: ['start', 'check'],
  E40: ['finish', 'stop', 'check'],
  E50: ['verify', 'more'],
  E60: ['sendBack', 'more'],
  X30: ['repeat', 'acceptPartial'],
}

export function WorkPanel({ exam, close }: { exam: number; close?: () => void }) {
  const { t } = useTranslation()
  const may = useMay()
  const client = useQueryClient()
  const [deed, setDeed] = useState<Deed | null>(null)
  const [moving, setMoving] = useState(false)
  const query = useQuery({
    queryKey: ['work', 'exam', exam],
    queryFn: () => data(api.GET('/technologist/exams/{exam}', { params: { path: { exam } } })),
    refetchInterval: 5_000,
  })
  // what is there stays where reading it anew fails: a window may be open over it
  const failed = query.isError && <ErrorNote error={query.error} again={() => void query.refetch()} />
  const page = query.data
  if (!page) return failed || <Loader size="sm" />
  const { listed } = page.row
  const [first, second] = spokenNames(listed)
  const deeds = DEEDS[listed.exam.state] ?? []
  const changed = () => void client.invalidateQueries({ queryKey: ['work'] })
  return (
    <>
      {failed}
      <div className={classes.head}>
        <div>
          <h2 className={classes.name}>
            {first} {second && <small className={classes.dim}>{second}</small>}
          </h2>
          <p className={classes.who}>
            {[
              listed.sex && t(`department.sex.${listed.sex as 'M'}`),
              ageOf(listed.birth_date),
              day(listed.birth_date),
              listed.patient_id,
            ]
              .filter(Boolean)
              .join(' · ')}
          </p>
        </div>
        {close && <CloseButton size="sm" onClick={close} aria-label={t('admin.closeDetails')} />}
      </div>
      <p className={classes.what}>
        <span>
          <Stat exam={listed.exam} />
          {listed.exam.number}
        </span>
        <span>
          <Procedure exam={listed.exam} />
        </span>
        <State state={listed.exam.state} />
        <SafetyBadge exam={listed.exam} />
      </p>
      <Cautions page={page} />
      <Unchecked page={page} />
      <div className={classes.actions}>
        {deeds.map((what, at) => (
          <Button key={what} variant={at === 0 && what !== 'sendBack' ? 'filled' : 'default'} onClick={() => setDeed({ what })}>
            {t(`work.${what}`)}
          </Button>
        ))}
        {page.series.length > 0 && may('view') && (
          <Button component={Link} href={`/view/${page.series[0]!.study_uid}`} variant="default" leftSection={<IconPhoto size={14} />}>
            {t('work.view')}
          </Button>
        )}
        {page.series.some((one) => one.images > 0) && may('match-images') && (
          <Button variant="default" onClick={() => setMoving(true)}>
            {t('patients.move.act')}
          </Button>
        )}
      </div>
      <Facts
        facts={[
          [t('department.protocol'), page.protocol && <b key="p">{page.protocol}</b>],
          [t('work.question'), page.purpose],
          [t('work.diagnosis'), page.diagnosis],
          [t('work.history'), page.history],
          [t('work.noteToReader'), page.note],
        ]}
      />
      <Safety exam={listed.exam} changed={changed} />
      <Transfer page={page} />
      <Making page={page} changed={changed} />
      {page.checks.length > 0 && (
        <Section title={t('department.identity.title')}>
          <Checks checks={page.checks} />
        </Section>
      )}
      {page.series.length > 0 && (
        <Section title={t('work.series')}>
          {page.series.map((one) => (
            <Item
              key={one.series_uid}
              action={
                may('reject') &&
                one.images > 0 && (
                  <Button size="compact-xs" variant="subtle" color="red" onClick={() => setDeed({ what: 'reject', series: one })}>
                    {t('work.reject')}
                  </Button>
                )
              }
            >
              {[one.number, one.description || one.modality].filter(Boolean).join(' · ')}
              <Dim>
                {t('work.seriesImages', { count: one.images })} · {moment(one.last_at)}
              </Dim>
            </Item>
          ))}
        </Section>
      )}
      {page.steps.length > 0 && (
        <Section title={t('work.steps')}>
          {page.steps.map((one, at) => (
            <Item key={at}>
              {one.device} · {t(`work.stepStatus.${one.status as 'COMPLETED'}`)}
              <Dim>
                {[moment(one.starts_at), moment(one.ends_at)].filter(Boolean).join(' – ')} · {t('work.stepObjects', { count: one.objects })}
              </Dim>
            </Item>
          ))}
        </Section>
      )}
      {moving && <MoveImages exam={listed.exam} close={() => setMoving(false)} done={changed} />}
      {deed && <Doing deed={deed} page={page} close={() => setDeed(null)} done={changed} />}
    </>
  )
}

/** Who lies there has to be made sure before it goes on, where the class of the exam asks for it. */
function Unchecked({ page }: { page: Page }) {
  const { t } = useTranslation()
  const last = lastCheck(page)
  const { state } = page.row.listed.exam
  if (!['E30', 'E40'].includes(state) || last?.passed || last?.override_by) return null
  const must = ['required', 'document'].includes(page.identity)
  if (!must && !last) return null
  return <div className={classes.cautions}>{t(last ? 'work.fitsNotYet' : 'work.mustCheck')}</div>
}

/** What could harm the patient; nothing where nothing is known. */
function Cautions({ page }: { page: Page }) {
  const { t } = useTranslation()
  const known = Object.entries(page.cautions).filter(([name, value]) => value && !(name === 'pregnancy' && value === 'no'))
  if (known.length === 0) return null
  return (
    <div className={classes.cautions}>
      {known.map(([name, value]) => (
        <div key={name}>
          {t(`work.cautions.${name as 'other'}`, { defaultValue: name })}:{' '}
          {name === 'pregnancy' ? t(`work.pregnant.${String(value) as 'yes'}`, { defaultValue: String(value) }) : String(value)}
        </div>
      ))}
    </div>
  )
}

function Transfer({ page }: { page: Page }) {
  const { t } = useTranslation()
  const { transfer } = page
  const { state } = page.row.listed.exam
  if (state < 'E40' || state > 'X' === (state !== 'X30')) return null
  const { expected, received, short } = transfer
  const words =
    transfer.complete
      ? t('work.complete')
      : expected !== null && short > 0
        ? t('work.incomplete', { count: short, expected })
        : received > 0
          ? t('work.unknown', { count: received })
          : t('work.none')
  return (
    <Section title={t('work.transfer')}>
      {expected !== null && expected > 0 && (
        <Bar value={(100 * Math.min(expected, expected - short)) / expected} color={short ? 'red' : 'green'} size="sm" mb={6} aria-label={t('work.transfer')} />
      )}
      <Item>
        <span className={short > 0 ? classes.bad : transfer.complete ? classes.good : undefined}>{words}</span>
        <Dim>
          {[
            expected !== null && t('work.imagesOf', { received: expected - short, expected }),
            t(`work.transferBy.${transfer.known_by}`),
            transfer.rejected > 0 && t('work.rejected', { count: transfer.rejected }),
          ]
            .filter(Boolean)
            .join(' · ')}
        </Dim>
        {page.override && <Dim>{t('work.overridden', { reason: page.override })}</Dim>}
      </Item>
      {transfer.missing.length > 0 && (
        <>
          <Dim>
            {t('work.missing')}{' '}
            <Anchor component="button" size="xs" onClick={() => void navigator.clipboard.writeText(transfer.missing.join('\n'))}>
              <IconCopy size={12} aria-hidden /> {t('work.copy')}
            </Anchor>
          </Dim>
          <ul className={classes.uids} tabIndex={0} aria-label={t('work.missing')}>
            {transfer.missing.map((uid) => (
              <li key={uid}>{uid}</li>
            ))}
          </ul>
        </>
      )}
    </Section>
  )
}
