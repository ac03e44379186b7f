import { ActionIcon, Button, FileButton, Group, Loader, Modal, Text, TextInput } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { IconDownload, IconPencil, IconTrash, IconUpload } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useMay } from '../../access/session'
import { api, data } from '../../api/client'
import type { components } from '../../api/schema'
import { ErrorNote, showError } from '../../app/errors'
import classes from './Hanging.module.css'
import { hangingKey, type Kept } from './useHanging'

/** All layouts that count for somebody: renamed, deleted, taken out as a file and in again. */
export default function Layouts({ study, close }: { study: string; close: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const all = useQuery({ queryKey: ['layouts'], queryFn: () => data(api.GET('/layouts')) })
  const changed = () => {
    void client.invalidateQueries({ queryKey: ['layouts'] })
    void client.invalidateQueries({ queryKey: hangingKey(study) })
  }
  const take = async (file: File | null) => {
    if (!file) return
    try {
      const body = JSON.parse(await file.text()) as components['schemas']['Exchange']
      const kept = await data(api.POST('/layouts/import', { body }))
      notifications.show({ color: 'teal', message: t('hanging.imported', { count: kept.layouts.length }) })
      changed()
    } catch (error) {
      if (error instanceof SyntaxError) notifications.show({ color: 'red', message: t('hanging.noFile') })
      else showError(error)
    }
  }
  const give = async () => {
    try {
      const found = await data(api.GET('/layouts/export'))
      const address = URL.createObjectURL(new Blob([JSON.stringify(found, null, 2)], { type: 'application/json' }))
      const link = document.createElement('a')
      link.href = address
      link.download = 'filmless-layouts.json'
      link.click()
      setTimeout(() => URL.revokeObjectURL(address), 1000)
    } catch (error) {
      showError(error)
    }
  }
  return (
    <Modal opened onClose={close} title={t('hanging.all')} size="xl">
      {all.isPending && <Loader size="sm" />}
      {all.isError && <ErrorNote error={all.error} again={() => void all.refetch()} />}
      {all.data?.layouts.length === 0 && (
        <Text size="sm" c="dimmed" py="md">
          {t('hanging.none')}
        </Text>
      )}
      <div className={classes.rows}>{all.data?.layouts.map((one) => <Row key={one.number} one={one} changed={changed} />)}</div>
      <Group justify="flex-end" mt="md" gap="xs">
        <FileButton accept="application/json,.json" onChange={(file) => void take(file)} inputProps={{ 'aria-label': t('hanging.import') }}>
          {(props) => (
            <Button {...props} variant="default" leftSection={<IconUpload size={14} />}>
              {t('hanging.import')}
            </Button>
          )}
        </FileButton>
        <Button variant="default" leftSection={<IconDownload size={14} />} onClick={() => void give()} disabled={!all.data?.layouts.length}>
          {t('hanging.export')}
        </Button>
      </Group>
    </Modal>
  )
}

function Row({ one, changed }: { one: Kept; changed: () => void }) {
  const { t } = useTranslation()
  const may = useMay()
  const [editing, setEditing] = useState(false)
  const [sure, setSure] = useState(false)
  const mine = one.owner === 'user' || may('layouts')
  const rename = async (name: string) => {
    setEditing(false)
    if (!name || name === one.name) return
    const { number, changed_at: _at, changed_by: _by, ...rest } = one
    try {
      await data(api.PUT('/layouts/{number}', { params: { path: { number } }, body: { ...rest, name } }))
      changed()
    } catch (error) {
      showError(error)
    }
  }
  const remove = async () => {
    try {
      await api.DELETE('/layouts/{number}', { params: { path: { number: one.number } } })
      changed()
    } catch (error) {
      showError(error)
    }
  }
  return (
    <div className={classes.row} data-testid="layout">
      {editing ? (
        <TextInput
          autoFocus
          aria-label={t('hanging.name')}
          defaultValue={one.name}
          maxLength={100}
          onBlur={(event) => void rename(event.currentTarget.value.trim())}
          onKeyDown={(event) => {
            event.stopPropagation()
            if (event.key === 'Enter') event.currentTarget.blur()
            if (event.key === 'Escape') setEditing(false)
          }}
        />
      ) : (
        <Text size="sm" truncate title={one.name}>
          {one.name}
        </Text>
      )}
      <Text size="xs" c="dimmed" truncate>
        {[t(`hanging.owner.${one.owner}`), one.department].filter(Boolean).join(': ')}
      </Text>
      <Text size="xs" c="dimmed" truncate>
        {[one.modality, one.body_part, one.procedure].filter(Boolean).join(' · ') || t('hanging.anyExam')}
      </Text>
      <Text size="xs" c="dimmed" style={{ fontVariantNumeric: 'tabular-nums' }}>
        {one.content.rows} × {one.content.columns}
      </Text>
      {sure ? (
        <Group gap={4} wrap="nowrap">
          <Button size="compact-xs" color="red" onClick={() => void remove()}>
            {t('app.actions.delete')}
          </Button>
          <Button size="compact-xs" variant="default" onClick={() => setSure(false)}>
            {t('app.actions.cancel')}
          </Button>
        </Group>
      ) : (
        <Group gap={4} wrap="nowrap" style={{ visibility: mine ? undefined : 'hidden' }}>
          <ActionIcon variant="subtle" color="gray" aria-label={t('hanging.rename', { name: one.name })} onClick={() => setEditing(true)}>
            <IconPencil size={15} />
          </ActionIcon>
          <ActionIcon variant="subtle" color="gray" aria-label={t('hanging.delete', { name: one.name })} onClick={() => setSure(true)}>
            <IconTrash size={15} />
          </ActionIcon>
        </Group>
      )}
    </div>
  )
}
