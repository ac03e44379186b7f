/** Somebody has come for an exam that was ordered or booked: number, class, station, who it is. */
import { Alert, Button, Group, Modal, Select, SimpleGrid, Stack, TextInput } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import { Problem } from '../api/problem'
import { wordsOf } from '../app/errors'
import { identityBody, IdentityFields, NOT_CHECKED, type Identity } from './IdentityFields'
import { nameOf, stationOptions, useMaster, wordsOfKind, type ExamPage } from './model'

interface Props {
  page: ExamPage
  close: () => void
  done: () => void
}

export function RegisterExam({ page, close, done }: Props) {
  const { t } = useTranslation()
  const master = useMaster()
  const { exam, order } = page
  const inpatient = order.patient_class === 'I'
  const [visit, setVisit] = useState(order.visit_number)
  const [admission, setAdmission] = useState(order.admission_number)
  const [station, setStation] = useState(exam.station)
  const [letter, setLetter] = useState(exam.exam_class)
  const [identity, setIdentity] = useState<Identity>({ ...NOT_CHECKED, document: 'two-identifiers' })
  const [failed, setFailed] = useState<{ code: string; words: string }>()
  const [busy, setBusy] = useState(false)

  const submit = async (event?: FormEvent) => {
    event?.preventDefault()
    setBusy(true)
    setFailed(undefined)
    try {
      const made = await data(
        api.POST('/exams/{exam}/register', {
          params: { path: { exam: exam.id } },
          body: {
            exam_class: letter,
            visit_number: visit.trim(),
            admission_number: admission.trim(),
            station,
            identity: identityBody(identity),
            seen: exam.changes,
          },
        }),
      )
      notifications.show({ message: t('department.registered', { number: made.number }), color: 'teal' })
      done()
      close()
    } catch (error) {
      setFailed({ code: error instanceof Problem ? error.code : '', words: wordsOf(error) })
    } finally {
      setBusy(false)
    }
  }

  const shown = failed && identity.despite === '' && !['identity-failed', 'document-elsewhere'].includes(failed.code)
  return (
    <Modal opened onClose={close} title={t('department.act.register')} size="lg">
      <form onSubmit={(event) => void submit(event)}>
        <Stack gap="sm">
          <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
            {inpatient ? (
              <TextInput label={t('department.admissionNumber')} value={admission} maxLength={64} data-autofocus onChange={(event) => setAdmission(event.currentTarget.value)} />
            ) : (
              <TextInput label={t('department.visitNumber')} value={visit} maxLength={64} data-autofocus onChange={(event) => setVisit(event.currentTarget.value)} />
            )}
            <Select
              label={t('department.examClass')}
              placeholder={t('department.byPatientClass')}
              disabled={Boolean(exam.number)}
              data={wordsOfKind(master.data, 'exam-class').map((one) => ({ value: one.code, label: `${one.code} · ${nameOf(one)}` }))}
              value={letter || null}
              onChange={(value) => setLetter(value ?? '')}
              clearable={!exam.number}
            />
            <Select
              label={t('department.station')}
              placeholder={t('department.anyStation')}
              data={stationOptions(master.data?.stations ?? [], exam.modality)}
              value={station || null}
              onChange={(value) => setStation(value ?? '')}
            />
          </SimpleGrid>
          <IdentityFields identity={identity} set={setIdentity} failed={failed} onScanned={() => void submit()} />
          {shown && (
            <Alert color="red" variant="light" p="xs" role="alert">
              {failed.words}
            </Alert>
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              {t('app.actions.cancel')}
            </Button>
            <Button type="submit" loading={busy}>
              {t('department.act.register')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
