/** An exam made for images that have none: whose, which procedure, of which class. */
import { Alert, Button, Group, Modal, Select, Stack, Text, Textarea, TextInput } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useMay } from '../access/session'
import { api, data } from '../api/client'
import { wordsOf } from '../app/errors'
import { nameOf, procedureOptions, SIDES, useMaster, wordsOfKind } from '../department/model'
import { PersonPick } from '../department/PersonPick'
import type { Person, StudyPage } from './model'

interface Props {
  page: StudyPage
  close: () => void
  done: (number: string) => void
}

export function MakeExam({ page, close, done }: Props) {
  const { t } = useTranslation()
  const may = useMay()
  const master = useMaster()
  const [person, setPerson] = useState<Person | null>(null)
  const [procedure, setProcedure] = useState<string | null>(null)
  const [side, setSide] = useState('')
  const [letter, setLetter] = useState('')
  const [number, setNumber] = useState('')
  const [why, setWhy] = useState('')
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)
  const classesOf = wordsOfKind(master.data, 'exam-class').filter((each) => !each.more.green)
  const needs = classesOf.find((each) => each.code === letter)?.more.needs
  const sided = Boolean(wordsOfKind(master.data, 'procedure').find((each) => each.code === procedure)?.more.sides)
  const fits = procedureOptions(master.data).filter((group) => page.study.modalities.length === 0 || page.study.modalities.includes(group.group))
  const ready = person && procedure && why.trim() && (!sided || side) && (!needs || number.trim())

  const act = async () => {
    if (!person || !procedure) return
    setBusy(true)
    setError('')
    try {
      const made = await data(
        api.POST('/unmatched/{study_uid}/exam', {
          params: { path: { study_uid: page.study.study_uid } },
          body: {
            procedure,
            side: sided ? side : '',
            person: person.id,
            new: null,
            exam_class: letter,
            visit_number: needs === 'VN' ? number.trim() : '',
            admission_number: needs === 'AN' ? number.trim() : '',
            reason: why.trim(),
          },
        }),
      )
      done(made.exam.number)
      close()
    } catch (failure) {
      setError(wordsOf(failure))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Modal opened onClose={close} title={t('patients.makeExamTitle')} size="lg">
      <Stack gap="sm">
        <PersonPick person={person} pick={setPerson} />
        {person && (
          <>
            <Group grow align="flex-start">
              <Select label={t('patients.procedure')} searchable data={fits.length > 0 ? fits : procedureOptions(master.data)} value={procedure} onChange={setProcedure} />
              {sided && (
                <Select
                  label={t('patients.side')}
                  data={SIDES.map((one) => ({ value: one, label: t(`patients.sides.${one}`) }))}
                  value={side || null}
                  onChange={(value) => setSide(value ?? '')}
                />
              )}
            </Group>
            {may('register') && (
              <Group grow align="flex-start">
                <Select
                  label={t('patients.newClass')}
                  data={[{ value: '', label: t('patients.noClass') }, ...classesOf.map((each) => ({ value: each.code, label: `${each.code} · ${nameOf(each)}` }))]}
                  value={letter}
                  onChange={(value) => setLetter(value ?? '')}
                  allowDeselect={false}
                />
                {needs ? (
                  <TextInput label={t(needs === 'AN' ? 'patients.admission' : 'patients.visit')} maxLength={64} value={number} onChange={(event) => setNumber(event.currentTarget.value)} />
                ) : (
                  <span />
                )}
              </Group>
            )}
            {!letter && (
              <Text size="xs" c="dimmed">
                {t('patients.makeExamHelp')}
              </Text>
            )}
            <Textarea label={t('admin.reason')} autosize minRows={2} maxLength={400} value={why} onChange={(event) => setWhy(event.currentTarget.value.replace(/[\r\n]+/g, ' '))} />
          </>
        )}
        {error && (
          <Alert color="red" variant="light" p="xs" role="alert">
            {error}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {t('app.actions.cancel')}
          </Button>
          <Button loading={busy} disabled={!ready} onClick={() => void act()}>
            {t('patients.makeExam')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}
