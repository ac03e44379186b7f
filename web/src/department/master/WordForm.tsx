import { NumberInput, Select, SimpleGrid, Switch, TextInput } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api } from '../../api/client'
import { Ask } from '../../app/Ask'
import { PATIENT_CLASSES, type Word } from '../model'

interface Props {
  tab: 'procedures' | 'classes' | 'reasons'
  word: Word | null
  close: () => void
  done: () => void
}

const REASONS = ['reason-cancel', 'reason-hold', 'reason-override', 'reason-reject', 'reason-void', 'reason-stop'] as const
const POLICIES = ['none', 'recorded', 'required', 'document'] as const
const START: Record<Props['tab'], Record<string, unknown>> = {
  procedures: { minutes: 15, double_sign: true, weight: 1 },
  classes: { date: 'yymmdd', digits: 4, identity: 'required', identity_exam: 'recorded' },
  reasons: {},
}

/** A procedure, a class of exams, or a reason. */
export function WordForm({ tab, word, close, done }: Props) {
  const { t } = useTranslation()
  const [kind, setKind] = useState<string>(word?.kind ?? { procedures: 'procedure', classes: 'exam-class', reasons: 'reason-cancel' }[tab])
  const [code, setCode] = useState(word?.code ?? '')
  const [zh, setZh] = useState(word?.name_zh ?? '')
  const [en, setEn] = useState(word?.name_en ?? '')
  const [active, setActive] = useState(word?.active ?? true)
  const [more, setMore] = useState<Record<string, unknown>>(word?.more ?? START[tab])
  const put = (name: string, value: unknown) => setMore((before) => ({ ...before, [name]: value }))

  const text = (name: string, label: string, most = 100) => (
    <TextInput label={label} maxLength={most} value={String(more[name] ?? '')} onChange={(event) => put(name, event.currentTarget.value)} />
  )
  const number = (name: string, label: string, min: number, max: number) => (
    <NumberInput label={label} min={min} max={max} value={Number(more[name] ?? min)} onChange={(value) => put(name, Number(value) || min)} />
  )
  const yes = (name: string, label: string) => <Switch label={label} checked={Boolean(more[name])} onChange={(event) => put(name, event.currentTarget.checked)} />
  const choice = (name: string, label: string, options: { value: string; label: string }[]) => (
    <Select label={label} data={options} value={String(more[name] ?? '')} onChange={(value) => put(name, value ?? '')} allowDeselect={false} />
  )
  const policies = POLICIES.map((one) => ({ value: one as string, label: t(`department.master.policies.${one}`) }))

  return (
    <Ask
      title={word ? word.code : t('app.actions.add')}
      word={t('app.actions.save')}
      size="lg"
      reason="wanted"
      ready={Boolean(code.trim() && (zh.trim() || en.trim()) && (tab !== 'procedures' || more.modality))}
      close={close}
      act={async (reason) => {
        await api.PUT('/master/words/{kind}/{code}', {
          params: { path: { kind, code: code.trim() } },
          body: { name_zh: zh.trim(), name_en: en.trim(), more, active, reason },
        })
        done()
      }}
    >
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        {tab === 'reasons' && (
          <Select
            label={t('department.master.kind')}
            disabled={word !== null}
            data={REASONS.map((one) => ({ value: one as string, label: t(`department.master.reasonKinds.${one}`) }))}
            value={kind}
            onChange={(value) => setKind(value ?? kind)}
            allowDeselect={false}
          />
        )}
        <TextInput
          label={t('department.master.code')}
          maxLength={tab === 'classes' ? 1 : 16}
          disabled={word !== null}
          value={code}
          onChange={(event) => setCode(tab === 'classes' ? event.currentTarget.value.toUpperCase() : event.currentTarget.value)}
          data-autofocus
        />
        <TextInput label={t('department.master.nameZh')} maxLength={100} value={zh} onChange={(event) => setZh(event.currentTarget.value)} />
        <TextInput label={t('department.master.nameEn')} maxLength={100} value={en} onChange={(event) => setEn(event.currentTarget.value)} />
        {tab === 'procedures' && (
          <>
            <TextInput label={t('department.modality')} maxLength={16} value={String(more.modality ?? '')} onChange={(event) => put('modality', event.currentTarget.value.toUpperCase())} />
            <TextInput label={t('department.master.part')} maxLength={16} value={String(more.body_part ?? '')} onChange={(event) => put('body_part', event.currentTarget.value.toUpperCase())} />
            {number('minutes', t('department.master.minutes'), 1, 720)}
            {text('preparation_zh', t('department.master.preparationZh'), 200)}
            {text('preparation_en', t('department.master.preparationEn'), 200)}
            {text('template', t('department.master.template'), 64)}
            {text('fee', t('department.master.fee'), 32)}
            {number('due_minutes', t('department.master.due'), 0, 20160)}
            <NumberInput label={t('department.master.weight')} min={0} max={100} decimalScale={2} value={Number(more.weight ?? 1)} onChange={(value) => put('weight', Number(value) || 0)} />
          </>
        )}
        {tab === 'classes' && (
          <>
            {choice('needs', t('department.master.needs'), [
              { value: '', label: t('app.none') },
              { value: 'VN', label: t('department.visitNumber') },
              { value: 'AN', label: t('department.admissionNumber') },
            ])}
            {choice('patient_class', t('department.patientClass'), [
              { value: '', label: '—' },
              ...PATIENT_CLASSES.map((one) => ({ value: one as string, label: t(`department.patientClasses.${one}`) })),
            ])}
            {choice('date', t('department.master.date'), ['yymmdd', 'yyyymmdd', 'yymm', ''].map((one) => ({ value: one, label: one.toUpperCase() || t('app.none') })))}
            {number('digits', t('department.master.digits'), 3, 6)}
            {choice('identity', t('department.master.identity'), policies)}
            {choice('identity_exam', t('department.master.identityExam'), policies)}
            {choice('safety', t('department.master.safety'), [
              { value: '', label: t('department.master.safetyPolicies.recorded') },
              { value: 'required', label: t('department.master.safetyPolicies.required') },
            ])}
            {number('order', t('department.master.order'), 1, 99)}
          </>
        )}
      </SimpleGrid>
      <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
        {tab === 'procedures' && (
          <>
            {yes('sides', t('department.master.sides'))}
            {yes('contrast', t('department.master.contrast'))}
            {yes('double_sign', t('department.master.double'))}
          </>
        )}
        {tab === 'classes' && (
          <>
            {yes('green', t('department.green.title'))}
            {yes('stat', t('department.stat'))}
          </>
        )}
        <Switch label={t('department.master.inUse')} checked={active} onChange={(event) => setActive(event.currentTarget.checked)} />
      </SimpleGrid>
    </Ask>
  )
}
