import { Select } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { Ask } from '../app/Ask'
import { procedureOptions, SIDES, useMaster, wordsOfKind, type ExamPage } from './model'

/** Another procedure, or side, than was asked for. */
export function ChangeProcedure({ page, close, done }: { page: ExamPage; close: () => void; done: () => void }) {
  const { t } = useTranslation()
  const master = useMaster()
  const { exam } = page
  const [procedure, setProcedure] = useState(exam.procedure)
  const [side, setSide] = useState(exam.side)
  const words = wordsOfKind(master.data, 'procedure').find((one) => one.code === procedure)
  const sides = Boolean(words?.more.sides)
  return (
    <Ask
      title={t('department.act.procedure')}
      text={words && words.more.modality !== exam.modality ? t('department.otherModality') : undefined}
      word={t('app.actions.save')}
      reason="wanted"
      ready={Boolean(words) && (!sides || Boolean(side)) && (procedure !== exam.procedure || side !== exam.side)}
      close={close}
      act={async (reason) => {
        const body = { procedure, side: sides ? (side as 'L') : ('' as const), reason, seen: exam.changes }
        await data(api.PATCH('/exams/{exam}', { params: { path: { exam: exam.id } }, body }))
        done()
      }}
    >
      <Select label={t('department.procedure')} data={procedureOptions(master.data)} value={procedure} onChange={(value) => setProcedure(value ?? '')} searchable />
      {sides && (
        <Select
          label={t('department.side')}
          data={SIDES.map((one) => ({ value: one, label: t(`department.sides.${one}`) }))}
          value={side || null}
          onChange={(value) => setSide(value ?? '')}
        />
      )}
    </Ask>
  )
}
