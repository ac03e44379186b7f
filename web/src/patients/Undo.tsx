import { Checkbox, Stack } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { Ask } from '../app/Ask'
import { moment } from '../app/format'
import { procedureOf } from '../department/model'
import type { PersonPage } from './model'

interface Props {
  page: PersonPage
  /** Of the journal. */
  entry: number
  close: () => void
  done: () => void
}

/** Asks before something of the journal is undone; of a merge, which exams go back. */
export function Undo({ page, entry, close, done }: Props) {
  const { t } = useTranslation()
  const one = page.journal.find((each) => each.id === entry)
  const kind = one?.kind ?? 'link'
  const survivor = one?.person === page.person.id
  const [back, setBack] = useState<ReadonlySet<number>>(new Set(one?.exams ?? []))
  const choosing = kind === 'merge' && survivor
  const flip = (id: number) => {
    const next = new Set(back)
    if (!next.delete(id)) next.add(id)
    setBack(next)
  }
  return (
    <Ask
      title={t('patients.undoTitle')}
      text={t(`patients.undoText.${kind}`)}
      word={t('patients.undo')}
      grave
      close={close}
      act={async (reason) => {
        const here = new Set(page.exams.map((exam) => exam.id))
        await data(
          api.POST('/identity-journal/{number}/undo', {
            params: { path: { number: entry } },
            body: { reason, exams: choosing ? [...back].filter((id) => here.has(id)) : null },
          }),
        )
        notifications.show({ message: t('patients.done.undo'), autoClose: 3_000 })
        done()
      }}
    >
      {choosing && page.exams.length > 0 && (
        <Checkbox.Group label={t('patients.goBack')} value={[...back].map(String)}>
          <Stack gap={4} mt={4}>
            {page.exams.map((exam) => (
              <Checkbox
                key={exam.id}
                value={String(exam.id)}
                checked={back.has(exam.id)}
                onChange={() => flip(exam.id)}
                label={[exam.number, procedureOf(exam), moment(exam.arrived_at ?? exam.ordered_at)].filter(Boolean).join(' · ')}
              />
            ))}
          </Stack>
        </Checkbox.Group>
      )}
    </Ask>
  )
}
