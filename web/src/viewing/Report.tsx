import { Anchor, Badge, Group, Text, Title } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'

import { day } from '../app/format'
import { contentOf, standing, type Item } from './engine/document'
import { text, type Stack } from './engine/series'
import { follow } from './linking'
import type { Viewing } from './model'
import classes from './Report.module.css'

/** A structured report as text; what it says of an image opens that image beside it. */
export function Report({ stack, index, viewing }: { stack: Stack; index: number; viewing: Viewing }) {
  const { t } = useTranslation()
  const queries = useQueryClient()
  const { json } = stack.instances[0]!
  const content = useMemo(() => contentOf(json), [json])
  const state = standing(json)
  const open = (image: NonNullable<Item['image']>) =>
    void follow(queries, viewing, index, stack, image)
      .catch(() => false)
      .then((found) => {
        if (!found) notifications.show({ message: t('viewing.imagesElsewhere'), color: 'yellow' })
      })
  return (
    <article className={classes.report} data-report>
      <header>
        <Title order={2} size="h4">
          {content.name || stack.description || t('viewing.report')}
        </Title>
        <Group gap="xs" mt={4}>
          <Text size="sm">{text(json, '00100010').replaceAll('^', ' ').trim()}</Text>
          <Text size="sm" c="dimmed">
            {[text(json, '00100020'), day(text(json, '00080023') || text(json, '00080020')), text(json, '00080080')].filter(Boolean).join(' · ')}
          </Text>
        </Group>
        <Group gap={6} mt={6}>
          <Badge size="sm" variant="light" color={state.verified ? 'teal' : 'yellow'}>
            {t(state.verified ? 'viewing.verified' : 'viewing.unverified')}
          </Badge>
          {!state.complete && (
            <Badge size="sm" variant="light" color="yellow">
              {t('viewing.partial')}
            </Badge>
          )}
          {state.observer && (
            <Text size="xs" c="dimmed">
              {[state.observer, state.at].filter(Boolean).join(', ')}
            </Text>
          )}
        </Group>
      </header>
      {content.children.map((item, at) => (
        <Content key={at} item={item} depth={0} open={open} />
      ))}
    </article>
  )
}

function Content({ item, depth, open }: { item: Item; depth: number; open: (image: NonNullable<Item['image']>) => void }) {
  const { t } = useTranslation()
  const link = item.image && (
    <Anchor component="button" type="button" size="sm" onClick={() => open(item.image!)}>
      {item.image.frame > 1 ? t('viewing.showFrame', { frame: item.image.frame }) : t('viewing.showImage')}
    </Anchor>
  )
  const below = item.children.map((one, at) => <Content key={at} item={one} depth={depth + 1} open={open} />)
  if (item.heading) {
    return (
      <section className={classes.part}>
        {item.name && (
          <Title order={depth === 0 ? 3 : 4} size={depth === 0 ? 'h5' : 'h6'}>
            {item.name}
          </Title>
        )}
        <div className={classes.below}>{below}</div>
      </section>
    )
  }
  return (
    <div className={classes.line}>
      {item.name && <span className={classes.name}>{item.name}</span>}
      <span className={classes.value}>
        {item.value} {link}
      </span>
      {below.length > 0 && <div className={classes.below}>{below}</div>}
    </div>
  )
}
