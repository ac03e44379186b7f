/** What can be done with an exam now, by whoever looks at it. */
import { Button, Checkbox, Menu, Select, Stack } from '@mantine/core'
import { IconDots } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useLocation } from 'wouter'

import { useMay } from '../access/session'
import { api, data } from '../api/client'
import { Ask } from '../app/Ask'
import { showError } from '../app/errors'
import { ChangeProcedure } from './ChangeProcedure'
import classes from './Department.module.css'
import { MoveImages } from '../patients/MoveImages'
import { VoidExam } from '../patients/VoidExam'
import { PrintReport } from '../reporting/Copies'
import { ExamWay, ProtocolForm, REASONED, type Reasoned } from './ExamWays'
import { nameOf, stationOptions, useMaster, wordsOfKind, type ExamPage } from './model'
import { OrderForm } from './OrderForm'
import { RegisterExam } from './RegisterExam'

type Asking = 'void' | 'images' | 'register' | 'cancel' | 'hold' | 'move' | 'procedure' | 'leave' | 'protocol' | 'order' | Reasoned

export function ExamActions({ page, changed }: { page: ExamPage; changed: () => void }) {
  const { t } = useTranslation()
  const may = useMay()
  const [, navigate] = useLocation()
  const [asking, setAsking] = useState<Asking | null>(null)
  const { exam } = page
  const can = (way: string) => page.may.includes(way)
  const path = { params: { path: { exam: exam.id } } }

  const at = async (work: () => Promise<unknown>) => {
    try {
      await work()
      changed()
    } catch (error) {
      showError(error)
    }
  }
  const done = () => changed()
  const registers = may('register') && (can('T04') || can('T30A'))
  const books = may('book') && (can('T03') || can('T30') || (exam.state === 'E20' && can('T08')))
  const over = ['X10', 'X20', 'X40'].includes(exam.state)
  /** Ways that take a reason -> whether they are open to whoever looks. */
  const open: Record<Reasoned, boolean> = {
    sendBack: can('T14') && may('send-back'),
    acceptPartial: can('T33') && page.images > 0 && (may('perform') || may('review')),
    repeat: can('T34') && (may('perform') || may('register')),
    closeWithout: can('T27') && may('review'),
  }
  const waits = WAITING.includes(exam.state)

  const more = [
    may('queue') && exam.state === 'E30' && can('T08') && { word: t('department.act.move'), run: () => setAsking('move') },
    (may('register') || may('perform')) && waits && { word: t('department.act.procedure'), run: () => setAsking('procedure') },
    may('order') && !over && (waits || may('register')) && { word: t('department.act.changeOrder'), run: () => setAsking('order') },
    ...REASONED.map((one) => open[one] && exam.state !== 'X30' && { word: t(`department.act.${one}`), run: () => setAsking(one) }),
    may('hold') && can('T06') && { word: t('department.act.hold'), run: () => setAsking('hold') },
    may('queue') && can('T07') && { word: t('department.act.leave'), run: () => setAsking('leave') },
    may('register') &&
      can('T29') && {
        word: t('department.act.noShow'),
        run: () => void at(() => data(api.POST('/exams/{exam}/no-show', { ...path, body: { reason: '' } }))),
      },
    may('match-images') && page.images > 0 && { word: t('patients.move.act'), run: () => setAsking('images') },
    may('void') && can('T31') && { word: t('patients.void'), run: () => setAsking('void'), grave: true },
    may('cancel') && can('T28') && { word: t('department.act.cancel'), run: () => setAsking('cancel'), grave: true },
  ].filter((one) => one !== false)

  return (
    <div className={classes.actions}>
      {registers && <Button onClick={() => setAsking('register')}>{t('department.act.register')}</Button>}
      {books && (
        <Button variant={registers ? 'default' : 'filled'} onClick={() => navigate(`/booking/${exam.id}`)}>
          {exam.state === 'E20' ? t('department.act.rebook') : t('department.act.book')}
        </Button>
      )}
      {can('T02') && may('vet') && (
        <Button variant={registers ? 'default' : 'filled'} onClick={() => setAsking('protocol')}>
          {t('department.act.protocol')}
        </Button>
      )}
      {/* what came of a stopped exam is decided here and now */}
      {exam.state === 'X30' &&
        REASONED.filter((one) => open[one]).map((one) => (
          <Button key={one} variant="default" onClick={() => setAsking(one)}>
            {t(`department.act.${one}`)}
          </Button>
        ))}
      {can('T35') && may('review') && (
        <Button onClick={() => void at(() => api.POST('/exams/{exam}/reopen-for-report', path))}>{t('department.act.reopen')}</Button>
      )}
      {can('T06R') && may('hold') && (
        <Button onClick={() => void at(() => data(api.POST('/exams/{exam}/release', { ...path, body: { reason: '' } })))}>
          {t('department.act.release')}
        </Button>
      )}
      {can('T32') && may('match') && page.person.unknown && (
        <Button component={Link} href="/persons/green">
          {t('department.act.match')}
        </Button>
      )}
      {exam.number && may('register') && (
        <Button variant="default" component={Link} href={`/slips/${exam.id}`}>
          {t('department.act.slip')}
        </Button>
      )}
      {may('hand-out') && <PrintReport exam={exam} done={changed} />}
      {page.images > 0 && may('view') && (
        <Button variant="default" component={Link} href={`/view/${page.studies[0]}`}>
          {t('department.act.images')}
        </Button>
      )}
      {more.length > 0 && (
        <Menu position="bottom-start" shadow="md">
          <Menu.Target>
            <Button variant="default" rightSection={<IconDots size={14} />}>
              {t('app.actions.more')}
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            {more.map((one) => (
              <Menu.Item key={one.word} color={'grave' in one ? 'red' : undefined} onClick={one.run}>
                {one.word}
              </Menu.Item>
            ))}
          </Menu.Dropdown>
        </Menu>
      )}
      {asking === 'register' && <RegisterExam page={page} close={() => setAsking(null)} done={done} />}
      {asking === 'protocol' && <ProtocolForm page={page} close={() => setAsking(null)} done={done} />}
      {asking === 'order' && <OrderForm page={page} close={() => setAsking(null)} done={done} />}
      {REASONED.map((one) => asking === one && <ExamWay key={one} what={one} page={page} close={() => setAsking(null)} done={done} />)}
      {asking === 'procedure' && <ChangeProcedure page={page} close={() => setAsking(null)} done={done} />}
      {(asking === 'cancel' || asking === 'hold') && (
        <Because
          what={asking}
          others={asking === 'cancel' ? page.siblings.filter((one) => WAITING.includes(one.state)).length : 0}
          close={() => setAsking(null)}
          act={async (code, reason, whole) => {
            if (whole) await data(api.POST('/orders/{order}/cancel', { params: { path: { order: page.order.id } }, body: { code, reason } }))
            else await data(api.POST(asking === 'cancel' ? '/exams/{exam}/cancel' : '/exams/{exam}/hold', { ...path, body: { code, reason, seen: exam.changes } }))
            done()
          }}
        />
      )}
      {asking === 'leave' && (
        <Ask
          title={t('department.act.leave')}
          text={t('department.leaveText')}
          word={t('department.act.leave')}
          reason="wanted"
          close={() => setAsking(null)}
          act={async (reason) => {
            await data(api.POST('/exams/{exam}/leave', { ...path, body: { reason } }))
            done()
          }}
        />
      )}
      {asking === 'images' && <MoveImages exam={exam} close={() => setAsking(null)} done={done} />}
      {asking === 'void' && <VoidExam exam={exam} close={() => setAsking(null)} done={done} />}
      {asking === 'move' && <Move page={page} close={() => setAsking(null)} done={done} />}
    </div>
  )
}

const WAITING = ['E00', 'E05', 'E10', 'E20', 'E30']

interface BecauseProps {
  what: 'cancel' | 'hold'
  /** Exams of the same order that wait, too. */
  others: number
  close: () => void
  act: (code: string, reason: string, whole: boolean) => Promise<unknown>
}

function Because({ what, others, close, act }: BecauseProps) {
  const { t } = useTranslation()
  const master = useMaster()
  const [code, setCode] = useState('')
  const [whole, setWhole] = useState(false)
  return (
    <Ask
      title={t(`department.act.${what}`)}
      text={t(`department.${what}Text`)}
      word={t(`department.act.${what}`)}
      grave={what === 'cancel'}
      reason="wanted"
      ready={Boolean(code)}
      close={close}
      act={(reason) => act(code, reason, whole)}
    >
      <Select
        label={t('department.reason')}
        data={wordsOfKind(master.data, `reason-${what}`).map((one) => ({ value: one.code, label: nameOf(one, one.code) }))}
        value={code || null}
        onChange={(value) => setCode(value ?? '')}
        data-autofocus
      />
      {others > 0 && <Checkbox label={t('department.wholeOrder', { count: others })} checked={whole} onChange={(event) => setWhole(event.currentTarget.checked)} />}
    </Ask>
  )
}

function Move({ page, close, done }: { page: ExamPage; close: () => void; done: () => void }) {
  const { t } = useTranslation()
  const master = useMaster()
  const [station, setStation] = useState('')
  const { exam } = page
  return (
    <Ask
      title={t('department.act.move')}
      text={t('department.moveText')}
      word={t('department.act.move')}
      reason="none"
      ready={Boolean(station)}
      close={close}
      act={async () => {
        await data(api.POST('/exams/{exam}/move', { params: { path: { exam: exam.id } }, body: { station, seen: exam.changes } }))
        done()
      }}
    >
      <Stack>
        <Select
          label={t('department.station')}
          data={stationOptions(master.data?.stations ?? [], exam.modality).filter((one) => one.value !== exam.station)}
          value={station || null}
          onChange={(value) => setStation(value ?? '')}
          data-autofocus
        />
      </Stack>
    </Ask>
  )
}
