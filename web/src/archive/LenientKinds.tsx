import { Loader } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { ErrorNote } from '../app/errors'
import { listComma } from '../app/format'
import { Dim, Item } from '../app/ListPage'
import { why } from '../app/reasons'

type Kind = components['schemas']['LenientKind']

/** What of a study is not as the standard asks: each kind once, with the objects that have it. */
export function LenientKinds({ study, row }: { study: string; row?: number }) {
  const { t } = useTranslation()
  const query = useQuery({
    queryKey: ['lenient', study, row],
    queryFn: () => data(api.GET('/flags/warnings/studies/{study_uid}', { params: { path: { study_uid: study }, query: { row } } })),
  })
  if (query.isPending) return <Loader size="xs" />
  if (query.isError) return <ErrorNote error={query.error} again={() => void query.refetch()} />
  const { kinds, more } = query.data!
  if (kinds.length === 0) return <Dim>{t('stewards.lenient.noneHere')}</Dim>
  return (
    <>
      {kinds.map((one) => (
        <Item key={one.tag + one.text} action={<Dim>{one.level === 'instance' ? t('stewards.lenient.of', { count: one.objects }) : t(`stewards.lenient.whole.${one.level}`)}</Dim>}>
          <b>{one.keyword || t('stewards.lenient.object')}</b>
          {one.keyword && !one.keyword.startsWith('(') && ` (${one.tag.slice(0, 4)},${one.tag.slice(4)})`}
          <div>{why(one.text)}</div>
          <Which of={one} />
        </Item>
      ))}
      {more && <Dim>{t('stewards.lenient.more')}</Dim>}
    </>
  )
}

/** Series by series the numbers of the images. */
function Which({ of }: { of: Kind }) {
  const { t } = useTranslation()
  const series = new Map<string, Kind['named']>()
  for (const one of of.named) series.set(one.series_uid, [...(series.get(one.series_uid) ?? []), one])
  const others = of.objects - of.named.length
  return (
    <>
      {[...series].map(([uid, objects]) => (
        <div key={uid} title={objects.map((one) => one.sop_instance_uid).join('\n')}>
          <Dim>
            {t('stewards.lenient.series', {
              number: objects[0]!.series_number.trim() || '–',
              images: ranges(objects.map((one) => one.instance_number.trim() || '–')),
            })}
          </Dim>
        </div>
      ))}
      {others > 0 && <Dim>{t('stewards.lenient.others', { count: others })}</Dim>}
    </>
  )
}

/** 1, 2, 3, 7 as 1–3, 7. */
function ranges(numbers: string[]): string {
  const whole = [...new Set(numbers.filter((one) => /^\d{1,9}$/.test(one)).map(Number))].sort((a, b) => a - b)
  const found: [number, number][] = []
  for (const number of whole) {
    const last = found.at(-1)
    if (last && number === last[1] + 1) last[1] = number
    else found.push([number, number])
  }
  const rest = [...new Set(numbers.filter((one) => !/^\d{1,9}$/.test(one)))]
  return [...found.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)), ...rest].join(listComma())
}
