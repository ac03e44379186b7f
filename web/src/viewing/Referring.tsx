import { Loader, Text } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'

import type { Stack } from './engine/series'
import { referred } from './linking'
import type { Viewing } from './model'
import { Labelled } from './Tile'
import classes from './Viewer.module.css'

/** A presentation state, a segmentation or key images: the images that it refers to take its place. */
export function Referring({ stack, index, viewing }: { stack: Stack; index: number; viewing: Viewing }) {
  const { t } = useTranslation()
  const queries = useQueryClient()
  const found = useQuery({ queryKey: ['referred', stack.id], queryFn: () => referred(queries, stack), staleTime: Infinity, retry: false })
  useEffect(() => {
    if (found.data === 'beyond') return
    if (found.data) viewing.show(found.data.stack, index, found.data.over)
    // segments that cannot be laid over anything are pictures of their own
    else if (found.isSuccess && stack.kind === 'segmentation') viewing.show({ ...stack, kind: 'images' }, index)
  }, [found.data, found.isSuccess, stack, index, viewing])
  if (found.isError || found.data === null || found.data === 'beyond') {
    return (
      <Labelled stack={stack}>
        <Text size="xs" c="dimmed" ta="center" maw={420}>
          {t(found.isError ? 'viewing.failed' : found.data === 'beyond' ? 'viewing.stateBeyond' : 'viewing.imagesElsewhere')}
        </Text>
      </Labelled>
    )
  }
  return (
    <div className={classes.centre} data-referring>
      <Loader size="sm" />
    </div>
  )
}
