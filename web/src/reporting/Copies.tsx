/** The report of an exam on paper: print a numbered copy, see which are out, take back those that are recalled. */
import { Button } from '@mantine/core'
import { IconPrinter } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useMay } from '../access/session'
import { api, data } from '../api/client'
import { showError } from '../app/errors'
import { moment } from '../app/format'
import { Dim, Item, Section } from '../app/ListPage'
import { usePeople } from '../department/model'

interface Of {
  id: number
  final_at: string | null
}

function useCopies(exam: Of) {
  const may = useMay()
  return useQuery({
    queryKey: ['copies', exam.id, exam.final_at],
    queryFn: () => data(api.GET('/exams/{exam}/report-copies', { params: { path: { exam: exam.id } } })),
    enabled: may('hand-out') && exam.final_at !== null,
  })
}

/** Opens a numbered copy of a report, to be printed by the browser. */
export async function printReport(report: number): Promise<void> {
  // the copy has a number; it is on the page, and on the list of what can be asked back
  const made = await data(api.POST('/reports/{report}/print', { params: { path: { report } }, body: { kind: 'print' } }))
  const address = `/api/reports/${report}/pdf?delivery=${made.id}`
  // a browser that lets no window open shows it here
  if (!window.open(address, '_blank')) window.location.assign(address)
}

export function PrintReport({ exam, done }: { exam: Of; done: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [busy, setBusy] = useState(false)
  const report = useCopies(exam).data?.report
  if (!report) return null
  const print = async () => {
    setBusy(true)
    try {
      await printReport(report)
      void client.invalidateQueries({ queryKey: ['copies', exam.id] })
      done()
    } catch (error) {
      showError(error)
    } finally {
      setBusy(false)
    }
  }
  return (
    <Button variant="default" leftSection={<IconPrinter size={14} />} loading={busy} onClick={() => void print()}>
      {t('reporting.copies.print')}
    </Button>
  )
}

/** Copies that left; nothing where none did. */
export function Copies({ exam, done }: { exam: Of; done: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const called = usePeople()
  const copies = useCopies(exam).data?.deliveries ?? []
  if (copies.length === 0) return null
  const back = async (delivery: number) => {
    try {
      await data(api.POST('/recalls/{delivery}/returned', { params: { path: { delivery } } }))
      void client.invalidateQueries({ queryKey: ['copies', exam.id] })
      done()
    } catch (error) {
      showError(error)
    }
  }
  return (
    <Section title={t('reporting.copies.title')}>
      {copies.map((one) => (
        <Item
          key={one.id}
          action={
            one.status === 'recalled' && (
              <Button size="compact-xs" variant="light" color="red" onClick={() => void back(one.id)}>
                {t('reporting.copies.back')}
              </Button>
            )
          }
        >
          {t('reporting.copies.copy', { number: one.copy_number })} · {t(`reporting.copies.status.${one.status}`)}
          <Dim>
            {moment(one.at)} · {called(one.by)}
          </Dim>
        </Item>
      ))}
    </Section>
  )
}
