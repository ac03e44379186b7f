/** What was asked for, put right: the clinic's words, who asked, class, numbers, dangers, priority. */
import { Select, Textarea, TextInput } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { Ask } from '../app/Ask'
import classes from './Department.module.css'
import { PATIENT_CLASSES, PREGNANCIES, PRIORITIES, type ExamPage } from './model'
import { PlaceSelect } from './PlaceSelect'

const LINES = ['requester', 'bed', 'visit_number', 'admission_number'] as const
const TEXTS = ['diagnosis', 'history', 'purpose'] as const
const SPOKEN = ['allergies', 'implants', 'contrast', 'infection', 'other'] as const

export function OrderForm({ page, close, done }: { page: ExamPage; close: () => void; done: () => void }) {
  const { t } = useTranslation()
  // as it was when the window opened: the page goes on being read anew behind it
  const [order] = useState(page.order)
  const [fields, setFields] = useState({
    requester: order.requester,
    department: order.department,
    ward: order.ward,
    bed: order.bed,
    patient_class: order.patient_class as (typeof PATIENT_CLASSES)[number],
    visit_number: order.visit_number,
    admission_number: order.admission_number,
    diagnosis: order.diagnosis,
    history: order.history,
    purpose: order.purpose,
    priority: order.priority as (typeof PRIORITIES)[number],
  })
  const [cautions, setCautions] = useState<Record<string, string>>(order.cautions)
  const set = (part: Partial<typeof fields>) => setFields((before) => ({ ...before, ...part }))
  const said = Object.fromEntries(Object.entries(cautions).filter(([, value]) => value.trim()))
  // only what is other than it was: somebody else may be writing the rest
  const different = Object.fromEntries(Object.entries(fields).filter(([name, value]) => value !== order[name as keyof typeof fields])) as Partial<typeof fields>
  const warned = JSON.stringify(Object.entries(said).sort()) !== JSON.stringify(Object.entries(order.cautions).sort())
  // where somebody else has written over the same meanwhile, it is refused
  const seen = {
    ...Object.fromEntries(Object.keys(different).map((name) => [name, order[name as keyof typeof fields]])),
    ...(warned && { cautions: order.cautions }),
  }

  const labels = {
    requester: t('department.requesterName'),
    bed: t('department.bed'),
    visit_number: t('department.visitNumber'),
    admission_number: t('department.admissionNumber'),
  }
  return (
    <Ask
      title={t('department.act.changeOrder')}
      word={t('app.actions.save')}
      size="lg"
      reason="wanted"
      ready={Object.keys(different).length > 0 || warned}
      close={close}
      act={async (reason) => {
        await data(
          api.PATCH('/orders/{order}', {
            params: { path: { order: order.id } },
            body: { ...different, ...(warned && { cautions: said }), seen, reason },
          }),
        )
        done()
      }}
    >
      <div className={classes.form}>
        <Select
          className={classes.span3}
          label={t('department.patientClass')}
          data={PATIENT_CLASSES.map((one) => ({ value: one, label: t(`department.patientClasses.${one}`) }))}
          value={fields.patient_class}
          onChange={(value) => set({ patient_class: (value as 'O') ?? 'O' })}
          allowDeselect={false}
        />
        <Select
          className={classes.span3}
          label={t('department.priority')}
          data={PRIORITIES.map((one) => ({ value: one, label: t(`department.priorities.${one}`) }))}
          value={fields.priority}
          onChange={(value) => set({ priority: (value as 'routine') ?? 'routine' })}
          allowDeselect={false}
        />
        <PlaceSelect className={classes.span3} kind="department" label={t('department.requestingDepartment')} value={fields.department} set={(department) => set({ department })} />
        <PlaceSelect className={classes.span3} kind="ward" label={t('department.ward')} value={fields.ward} set={(ward) => set({ ward })} />
        {LINES.map((name) => (
          <TextInput
            key={name}
            className={classes.span3}
            label={labels[name]}
            maxLength={name === 'requester' ? 200 : name === 'bed' ? 16 : 64}
            value={fields[name]}
            onChange={(event) => set({ [name]: event.currentTarget.value })}
          />
        ))}
        {TEXTS.map((name) => (
          <Textarea
            key={name}
            className={classes.span6}
            label={t(`department.${name === 'history' ? 'clinicalHistory' : name}`)}
            autosize
            minRows={1}
            maxLength={4000}
            value={fields[name]}
            onChange={(event) => set({ [name]: event.currentTarget.value })}
          />
        ))}
        {page.person.sex !== 'M' && (
          <Select
            className={classes.span2}
            label={t('department.cautions.pregnancy')}
            data={PREGNANCIES.map((one) => ({ value: one, label: t(`department.pregnancies.${one}`) }))}
            value={cautions.pregnancy || null}
            onChange={(value) => setCautions({ ...cautions, pregnancy: value ?? '' })}
            clearable
          />
        )}
        {SPOKEN.map((name) => (
          <TextInput
            key={name}
            className={classes.span2}
            label={t(`department.cautions.${name}`)}
            maxLength={200}
            value={cautions[name] ?? ''}
            onChange={(event) => setCautions({ ...cautions, [name]: event.currentTarget.value })}
          />
        ))}
      </div>
    </Ask>
  )
}
