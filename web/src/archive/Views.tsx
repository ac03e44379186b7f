import { ActionIcon, Button, Group, Menu, Modal, Stack, TextInput, Tooltip } from '@mantine/core'
import { IconBookmark, IconX } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { usePreference } from '../app/preferences'
import type { Wanted } from './useStudies'

export interface View {
  name: string
  wanted: Wanted
  /** Absent in views that were saved before they had columns. */
  columns?: string[]
}

interface Props {
  wanted: Wanted
  columns: string[]
  choose: (view: View) => void
}

/** What a person looks for again and again, by name: the search, its filters and order, and the columns. */
export function Views({ wanted, columns, choose }: Props) {
  const { t } = useTranslation()
  const [views, setViews] = usePreference<View[]>('studies.views', [])
  const [naming, setNaming] = useState(false)
  const [name, setName] = useState('')
  const save = () => {
    setViews([...views.filter((view) => view.name !== name.trim()), { name: name.trim(), wanted, columns }])
    setNaming(false)
    setName('')
  }
  return (
    <>
      <Menu position="bottom-end" shadow="md">
        <Menu.Target>
          <Tooltip label={t('archive.studies.views')}>
            <ActionIcon variant="default" size={30} aria-label={t('archive.studies.views')}>
              <IconBookmark size={16} />
            </ActionIcon>
          </Tooltip>
        </Menu.Target>
        <Menu.Dropdown>
          {views.map((view) => (
            <Group key={view.name} gap={0} wrap="nowrap">
              <Menu.Item style={{ flex: 1 }} onClick={() => choose(view)}>
                {view.name}
              </Menu.Item>
              <ActionIcon
                variant="subtle"
                color="gray"
                size="sm"
                aria-label={t('archive.studies.deleteView', { name: view.name })}
                onClick={() => setViews(views.filter((one) => one.name !== view.name))}
              >
                <IconX size={12} />
              </ActionIcon>
            </Group>
          ))}
          {views.length > 0 && <Menu.Divider />}
          <Menu.Item onClick={() => setNaming(true)}>{t('archive.studies.saveView')}</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal opened={naming} onClose={() => setNaming(false)} title={t('archive.studies.saveView')} size="sm">
        <form
          onSubmit={(event) => {
            event.preventDefault()
            if (name.trim()) save()
          }}
        >
          <Stack gap="sm">
            <TextInput
              label={t('archive.studies.viewName')}
              maxLength={60}
              data-autofocus
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
            />
            <Group justify="flex-end">
              <Button variant="default" onClick={() => setNaming(false)}>
                {t('app.actions.cancel')}
              </Button>
              <Button type="submit" disabled={!name.trim()}>
                {t('app.actions.save')}
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </>
  )
}
