import { Checkbox, Group, Select, Stack, Text, TextInput } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useMay, useSession } from '../../access/session'
import { api, data } from '../../api/client'
import { Ask } from '../../app/Ask'
import type { Model, Viewing } from '../model'
import { ruleOf, type Content, type Rule } from './choose'
import { hangingKey, type Hanging } from './useHanging'

interface Props {
  model: Model
  viewing: Viewing
  study: string
  hanging: Hanging
  close: () => void
}

/** Keeps what is on the screen as the layout of exams like this. */
export default function SaveLayout({ model, viewing, study, hanging, close }: Props) {
  const { t } = useTranslation()
  const may = useMay()
  const { roles } = useSession()
  const client = useQueryClient()
  const { exam } = hanging
  const shared = may('layouts')
  const departments = [...new Set([exam.department, ...roles.flatMap((role) => role.scope?.departments ?? [])])].filter(Boolean)
  const kinds = exam.modalities.filter((one) => !['SR', 'PR', 'KO', 'SEG'].includes(one))
  const [owner, setOwner] = useState('user')
  const [name, setName] = useState([kinds[0], exam.bodyParts[0], `${model.rows} × ${model.columns}`].filter(Boolean).join(' '))
  const [modality, setModality] = useState(kinds[0] ?? '')
  const [part, setPart] = useState(exam.bodyParts[0] ?? '')
  const [procedure, setProcedure] = useState('')
  const [windows, setWindows] = useState(false)
  const missing = model.panes.filter((pane) => pane.stack && !rule(model, hanging, study, viewing, pane, windows)).length

  const act = async () => {
    const [kind, department = ''] = owner.split('/') as ['user' | 'department' | 'hospital', string?]
    const kept = await data(
      api.POST('/layouts', {
        body: { owner: kind, department, name: name.trim(), modality, body_part: part, procedure: procedure.trim(), content: contentOf(model, hanging, study, viewing, windows) },
      }),
    )
    void client.invalidateQueries({ queryKey: hangingKey(study) })
    notifications.show({ color: 'teal', message: t('hanging.kept', { name: kept.name }) })
  }

  return (
    <Ask title={t('hanging.save')} word={t('app.actions.save')} reason="none" ready={name.trim() !== ''} close={close} act={act}>
      <Stack gap="sm">
        <TextInput label={t('hanging.name')} data-autofocus required maxLength={100} value={name} onChange={(event) => setName(event.currentTarget.value)} />
        <Select
          label={t('hanging.for')}
          allowDeselect={false}
          value={owner}
          onChange={(value) => setOwner(value ?? 'user')}
          data={[
            { value: 'user', label: t('hanging.owner.user') },
            ...(shared ? departments.map((one) => ({ value: `department/${one}`, label: `${t('hanging.owner.department')}: ${one}` })) : []),
            ...(shared ? [{ value: 'hospital', label: t('hanging.owner.hospital') }] : []),
          ]}
          comboboxProps={{ withinPortal: true }}
        />
        <Text size="xs" c="dimmed" fw={600}>
          {t('hanging.likeThis')}
        </Text>
        <Group grow align="start">
          <Select label={t('hanging.modality')} placeholder={t('hanging.any')} clearable value={modality || null} onChange={(value) => setModality(value ?? '')} data={kinds} />
          <Select label={t('hanging.bodyPart')} placeholder={t('hanging.any')} clearable value={part || null} onChange={(value) => setPart(value ?? '')} data={exam.bodyParts} />
        </Group>
        <TextInput
          label={t('hanging.procedure')}
          description={t('hanging.procedureHelp')}
          placeholder={t('hanging.any')}
          maxLength={256}
          value={procedure}
          onChange={(event) => setProcedure(event.currentTarget.value)}
        />
        <Checkbox size="xs" label={t('hanging.windows')} checked={windows} onChange={(event) => setWindows(event.currentTarget.checked)} />
        {missing > 0 && (
          <Text size="xs" c="orange">
            {t('hanging.missing', { count: missing })}
          </Text>
        )}
      </Stack>
    </Ask>
  )
}

/** The rule of a pane; null where what it shows belongs to no exam that is found again. */
function rule(model: Model, { priors }: Hanging, study: string, viewing: Viewing, pane: Model['panes'][number], windows: boolean): Rule | null {
  const { stack } = pane
  const known = stack && model.known.find((one) => one.study === stack.study)
  const prior = stack?.study === study ? 0 : priors.indexOf(stack?.study ?? '') + 1
  if (!stack || !known || stack.kind !== 'images' || (prior === 0 && stack.study !== study)) return null
  const made = ruleOf(stack, prior, known)
  const shown = viewing.views.get(pane.id)?.shown()
  if (!windows || !shown || shown.center === null || shown.width === null) return made
  return { ...made, window: { center: shown.center, width: shown.width }, invert: shown.invert }
}

function contentOf(model: Model, hanging: Hanging, study: string, viewing: Viewing, windows: boolean): Content {
  const { volume } = model
  if (volume) {
    const made = rule(model, hanging, study, viewing, { ...model.panes[0]!, stack: volume }, false)
    return { rows: 1, columns: 1, panes: made ? [{ ...made, view: 'volume' }] : [], tool: 'window', linked: false }
  }
  // no series is of such a modality: the pane stays empty
  const empty: Rule = { prior: 0, modality: '-', description: '', orientation: '', number: null, at: 0, view: 'stack', window: null, invert: false, slab: 0 }
  const panes = model.panes.map((pane) => rule(model, hanging, study, viewing, pane, windows) ?? empty)
  return { rows: model.rows, columns: model.columns, panes, tool: model.tool === 'crosshairs' ? 'window' : model.tool, linked: model.linked }
}
