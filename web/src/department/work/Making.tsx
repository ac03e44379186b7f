/** With what an exam was made - contrast media and dose - and what its maker says of the images. */
import { ActionIcon, Button, Checkbox, Group, NumberInput, Radio, Select, SimpleGrid, Stack, Text, TextInput } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { IconPlus, IconTrash } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import type { components } from '../../api/schema'
import { api, data } from '../../api/client'
import { Ask } from '../../app/Ask'
import { moment } from '../../app/format'
import { Dim, Item, Section } from '../../app/ListPage'
import type { Page } from './model'
import classes from './Work.module.css'

type Contrast = components['schemas']['ContrastWords']
type Dose = components['schemas']['DoseWords']

const DOSES = ['ctdi', 'dlp', 'dap', 'entrance', 'glandular', 'fluoroscopy', 'exposures', 'films'] as const
const REACTIONS = ['none', 'mild', 'moderate', 'severe'] as const
const GRADES = ['A', 'B', 'C', 'waste'] as const
/** What is told of the dose, by modality; the rest where it was told all the same. */
const OF: Record<string, readonly (typeof DOSES)[number][]> = {
  CT: ['ctdi', 'dlp', 'exposures', 'films'],
  MG: ['glandular', 'entrance', 'exposures', 'films'],
  XA: ['dap', 'entrance', 'fluoroscopy', 'exposures', 'films'],
  RF: ['dap', 'entrance', 'fluoroscopy', 'exposures', 'films'],
  MR: ['films'],
  US: ['films'],
}
const OTHERS = ['dap', 'entrance', 'exposures', 'films'] as const

export function Making({ page, changed }: { page: Page; changed: () => void }) {
  const { t } = useTranslation()
  const [asking, setAsking] = useState<'record' | 'quality' | null>(null)
  const { exam } = page.row.listed
  const begun = exam.state >= 'E40' && (exam.state < 'X' || exam.state === 'X30')
  if (!begun) return null
  const told = (dose: Dose) =>
    DOSES.filter((name) => dose[name] !== null && dose[name] !== undefined)
      .map((name) => t(`work.doses.${name}`, { value: dose[name] ?? '' }))
      .join(' · ')
  const typed = told(page.dose)
  const device = told(page.dose_told)
  const { quality } = page
  return (
    <>
      <Section
        title={t('work.making')}
        action={
          <Button size="compact-xs" variant="subtle" onClick={() => setAsking('record')}>
            {t('work.record')}
          </Button>
        }
      >
        {page.contrast?.map((one, at) => (
          <Item key={at}>
            {[one.agent, one.ml ? `${one.ml} ml` : '', one.rate ? `${one.rate} ml/s` : '', one.route].filter(Boolean).join(' · ')}
            <Dim>
              {[one.lot && t('work.lot', { lot: one.lot }), t(`work.reactions.${one.reaction ?? 'none'}`), one.extravasation && t('work.extravasation'), one.note]
                .filter(Boolean)
                .join(' · ')}
            </Dim>
          </Item>
        ))}
        {page.contrast?.length === 0 && <Dim>{t('work.noContrast')}</Dim>}
        {page.contrast === null && page.contrast_wanted && (
          <Item>
            <span className={classes.bad}>{t('work.contrastMissing')}</span>
          </Item>
        )}
        {typed && <Item>{typed}</Item>}
        {device && (
          <Item>
            {device}
            <Dim>{t('work.toldByDevice')}</Dim>
          </Item>
        )}
        {page.contrast === null && !page.contrast_wanted && !typed && !device && <Dim>{t('work.nothingRecorded')}</Dim>}
      </Section>
      {exam.state !== 'E40' && (
        <Section
          title={t('work.quality')}
          action={
            (exam.state === 'E50' || exam.state === 'E60') && (
              <Button size="compact-xs" variant="subtle" onClick={() => setAsking('quality')}>
                {t('work.judge')}
              </Button>
            )
          }
        >
          {page.contradictions.map((one) => (
            <Item key={one.what}>
              <span className={classes.bad}>{t(`work.contradictions.${one.what}`, { asked: one.asked, told: one.told })}</span>
            </Item>
          ))}
          {quality ? (
            <Item>
              <span className={quality.grade === 'waste' ? classes.bad : classes.good}>{t(`work.grades.${quality.grade}`)}</span>
              <Dim>{[quality.note, quality.by, moment(quality.at), quality.stale && t('work.stale')].filter(Boolean).join(' · ')}</Dim>
            </Item>
          ) : (
            <Dim>{t(page.quality_wanted && exam.state === 'E50' ? 'work.judgeFirst' : 'work.notJudged')}</Dim>
          )}
        </Section>
      )}
      {asking === 'record' && <Record page={page} close={() => setAsking(null)} done={changed} />}
      {asking === 'quality' && <Judge page={page} close={() => setAsking(null)} done={changed} />}
    </>
  )
}

interface Props {
  page: Page
  close: () => void
  done: () => void
}

const EMPTY: Contrast = { agent: '', lot: '', ml: 0, rate: 0, route: 'IV', reaction: 'none', extravasation: false, note: '' }

/** Whether there is anything in it. */
const isWritten = (one: Contrast) => Object.entries(EMPTY).some(([name, empty]) => (one[name as keyof Contrast] || '') !== (empty || ''))

function Record({ page: now, close, done }: Props) {
  const { t } = useTranslation()
  // as it was when the window opened: the page goes on being read anew behind it
  const [page] = useState(now)
  const { exam } = page.row.listed
  const [given, setGiven] = useState<Contrast[]>(page.contrast ?? (page.contrast_wanted ? [EMPTY] : []))
  const [none, setNone] = useState(page.contrast?.length === 0)
  const [dose, setDose] = useState<Dose>(page.dose)
  const shown = DOSES.filter((name) => (OF[exam.modality] ?? OTHERS).includes(name) || typeof dose[name] === 'number')
  const put = (at: number, one: Partial<Contrast>) => setGiven(given.map((each, place) => (place === at ? { ...each, ...one } : each)))
  const number = (value: number | string) => (typeof value === 'number' ? value : null)
  const told = given.filter(isWritten)
  const nameless = !none && told.some((one) => !one.agent.trim())
  const act = async () => {
    // what was recorded and is taken out is gone; where nobody ever said anything, nothing is said
    const contrast = none || (page.contrast && !told.length) ? [] : told.length ? told : null
    // what images have changed meanwhile is no reason to refuse; what a colleague has recorded is
    const same = JSON.stringify([now.contrast, now.dose]) === JSON.stringify([page.contrast, page.dose])
    await data(
      api.POST('/technologist/exams/{exam}/record', {
        params: { path: { exam: exam.id } },
        body: { contrast, dose, seen: same ? now.row.listed.exam.changes : exam.changes },
      }),
    )
    notifications.show({ message: t('work.recorded'), autoClose: 3_000 })
    done()
  }
  return (
    <Ask title={t('work.making')} word={t('app.actions.save')} reason="none" size="lg" ready={!nameless} close={close} act={act}>
      {(page.contrast_wanted || none) && (
        <Checkbox label={t('work.noContrast')} checked={none} onChange={(event) => setNone(event.currentTarget.checked)} />
      )}
      {!none &&
        given.map((one, at) => (
          <Stack key={at} gap={6} className={classes.identity} role="group" aria-label={t('work.medium')}>
            <Group gap={6} align="start" wrap="nowrap">
              <TextInput
                flex={2}
                label={t('work.medium')}
                maxLength={64}
                value={one.agent}
                error={isWritten(one) && !one.agent.trim() && t('work.mediumMissing')}
                data-autofocus={at === 0 || undefined}
                onChange={(event) => put(at, { agent: event.currentTarget.value })}
              />
              <TextInput flex={1} label={t('work.lotNumber')} maxLength={64} value={one.lot ?? ''} onChange={(event) => put(at, { lot: event.currentTarget.value })} />
              <ActionIcon mt={22} variant="subtle" color="red" aria-label={t('app.actions.delete')} onClick={() => setGiven(given.filter((_, place) => place !== at))}>
                <IconTrash size={14} />
              </ActionIcon>
            </Group>
            <SimpleGrid cols={{ base: 2, xs: 4 }} spacing={6} verticalSpacing={6}>
              <NumberInput hideControls label={t('work.ml')} min={0} max={5000} decimalScale={1} value={one.ml || ''} onChange={(value) => put(at, { ml: number(value) ?? 0 })} />
              <NumberInput hideControls label={t('work.rate')} min={0} max={100} decimalScale={1} value={one.rate || ''} onChange={(value) => put(at, { rate: number(value) ?? 0 })} />
              <TextInput label={t('work.route')} maxLength={64} value={one.route ?? ''} onChange={(event) => put(at, { route: event.currentTarget.value })} />
              <Select
                label={t('work.reaction')}
                allowDeselect={false}
                data={REACTIONS.map((each) => ({ value: each, label: t(`work.reactions.${each}`) }))}
                value={one.reaction ?? 'none'}
                onChange={(value) => put(at, { reaction: (value ?? 'none') as Contrast['reaction'] })}
              />
            </SimpleGrid>
            <Group gap={12} wrap="nowrap">
              <Checkbox label={t('work.extravasation')} checked={one.extravasation ?? false} onChange={(event) => put(at, { extravasation: event.currentTarget.checked })} />
              <TextInput flex={1} aria-label={t('work.contrastNote')} placeholder={t('work.contrastNote')} maxLength={200} value={one.note ?? ''} onChange={(event) => put(at, { note: event.currentTarget.value })} />
            </Group>
          </Stack>
        ))}
      {!none && (
        <Group>
          <Button size="compact-xs" variant="subtle" leftSection={<IconPlus size={12} />} onClick={() => setGiven([...given, EMPTY])}>
            {t('work.addMedium')}
          </Button>
        </Group>
      )}
      <Text size="sm" fw={500}>
        {t('work.dose')}
      </Text>
      <SimpleGrid cols={{ base: 2, xs: 4 }} spacing={6} verticalSpacing={6}>
        {shown.map((name) => (
          <NumberInput
            key={name}
            hideControls
            label={t(`work.doseNames.${name}`)}
            min={0}
            max={1_000_000}
            decimalScale={name === 'exposures' || name === 'films' ? 0 : 3}
            value={dose[name] ?? ''}
            onChange={(value) => setDose({ ...dose, [name]: number(value) })}
          />
        ))}
      </SimpleGrid>
    </Ask>
  )
}

function Judge({ page: now, close, done }: Props) {
  const { t } = useTranslation()
  // the images that were looked at are those of when the window opened
  const [page] = useState(now)
  const { exam } = page.row.listed
  const [grade, setGrade] = useState<(typeof GRADES)[number]>(page.quality?.grade ?? 'A')
  const act = async (note: string) => {
    await data(
      api.POST('/technologist/exams/{exam}/quality', {
        params: { path: { exam: exam.id } },
        body: { grade, note, seen: exam.changes },
      }),
    )
    notifications.show({ message: t('work.judged'), autoClose: 3_000 })
    done()
  }
  return (
    <Ask title={t('work.qualityTitle')} text={t('work.qualityText')} word={t('app.actions.save')} reason={grade === 'A' ? 'none' : grade === 'waste' ? 'needed' : 'wanted'} close={close} act={act}>
      <Radio.Group aria-label={t('work.quality')} value={grade} onChange={(value) => setGrade(value as (typeof GRADES)[number])}>
        <Stack gap={6}>
          {GRADES.map((one) => (
            <Radio key={one} value={one} label={t(`work.grades.${one}`)} data-autofocus={one === grade || undefined} />
          ))}
        </Stack>
      </Radio.Group>
    </Ask>
  )
}
