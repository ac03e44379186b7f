/** Before the exam it is made sure who lies there: how, and whether it fits. */
import { Radio, Select, Stack, TextInput } from '@mantine/core'
import { useTranslation } from 'react-i18next'

import { useMay } from '../../access/session'
import { day, moment } from '../../app/format'
import { Dim, Item } from '../../app/ListPage'
import { NOBODY, supervisorBody, SupervisorFields, type Supervisor } from '../IdentityFields'
import { DOCUMENTS, usePeople, type Document } from '../model'
import { plainName, type Page } from './model'
import classes from './Work.module.css'

export interface Shown {
  document: Document
  number: string
  /** Null: nobody has said yet. */
  fits: boolean | null
  despite: string
  supervisor: Supervisor
}

export const NOT_ASKED: Shown = { document: 'two-identifiers', number: '', fits: null, despite: '', supervisor: NOBODY }

const numbered = (shown: Shown) => shown.document !== 'two-identifiers'

export function isAnswered(shown: Shown): boolean {
  return numbered(shown) ? shown.number.trim() !== '' || shown.despite.trim() !== '' : shown.fits !== null
}

/** As the API wants it. */
export function shownBody(shown: Shown) {
  return { document: shown.document, number: shown.number.trim(), fits: numbered(shown) || shown.fits === true, despite: shown.despite.trim(), supervisor: supervisorBody(shown.supervisor) }
}

/** The last check before the exam, where there was one. */
export function lastCheck(page: Page) {
  return page.checks.findLast((one) => one.stage === 'exam')
}

export function IdentityStep({ page, shown, set }: { page: Page; shown: Shown; set: (shown: Shown) => void }) {
  const { t } = useTranslation()
  const may = useMay()
  const { listed } = page.row
  return (
    <Stack gap="sm">
      <div className={classes.identity}>
        <div className={classes.identityName}>{plainName(listed.name)}</div>
        <div>{plainName(listed.name_alphabetic)}</div>
        <div>
          {[listed.sex && t(`department.sex.${listed.sex as 'M'}`), day(listed.birth_date), listed.patient_id].filter(Boolean).join(' · ')}
        </div>
      </div>
      <Select
        label={t('work.identity')}
        data={DOCUMENTS.map((one) => ({ value: one, label: t(`work.documents.${one}`) }))}
        value={shown.document}
        allowDeselect={false}
        onChange={(value) => set({ ...NOT_ASKED, document: value as Document })}
      />
      {numbered(shown) ? (
        <TextInput
          label={t('work.documentNumber')}
          autoComplete="off"
          spellCheck={false}
          maxLength={64}
          value={shown.number}
          data-autofocus
          onChange={(event) => set({ ...shown, number: event.currentTarget.value })}
        />
      ) : (
        <Radio.Group aria-label={t('work.result')} value={shown.fits === null ? '' : String(shown.fits)} onChange={(value) => set({ ...shown, fits: value === 'true', despite: '' })}>
          <Stack gap={6}>
            <Radio value="true" label={t('work.fits')} data-autofocus />
            <Radio value="false" label={t('work.fitsNot')} />
          </Stack>
        </Radio.Group>
      )}
      {(shown.fits === false || numbered(shown)) && (
        <TextInput label={t('work.despite')} maxLength={400} value={shown.despite} onChange={(event) => set({ ...shown, despite: event.currentTarget.value })} />
      )}
      {shown.despite.trim() !== '' && ['required', 'document'].includes(page.identity) && !may('override-identity') && (
        <SupervisorFields supervisor={shown.supervisor} set={(supervisor) => set({ ...shown, supervisor })} />
      )}
    </Stack>
  )
}

/** Who looked, how, when, and what came of it. */
export function Checks({ checks }: { checks: Page['checks'] }) {
  const { t } = useTranslation()
  const called = usePeople()
  return checks.map((one) => (
    <Item key={one.at}>
      <span className={one.passed ? classes.good : classes.bad}>
        {t(one.passed ? 'department.identity.passed' : one.override_by ? 'department.identity.overridden' : 'department.identity.failed')}
      </span>
      {' · '}
      {t(`department.identity.stages.${one.stage as 'exam'}`)} · {t(`department.identity.${one.document as 'NI'}`)}
      <Dim>{[moment(one.at), called(one.by), one.override_by !== one.by && called(one.override_by), one.reason].filter(Boolean).join(' · ')}</Dim>
    </Item>
  ))
}
