import { Loader } from '@mantine/core'
import { ErrorNote } from '../app/errors'
import type { Viewing } from './model'
import { Entries, Heading } from './SeriesList'
import { useStudy } from './useStudy'
import { WhichPatient } from './WhichPatient'

interface Props {
  study: string
  /** Whose it is, where its number stands for studies of several patients; 0: not said. */
  row: number
  choose: (row: number) => void
  /** Which of the open studies it is. */
  at: number
  viewing: Viewing
  wanted: ReadonlySet<string>
  wants: (series: string) => void
  shown: ReadonlySet<string | undefined>
}

/** Another study that is open: its series under a heading of their own. */
export function OtherStudy({ study, row, choose, at, viewing, wanted, wants, shown }: Props) {
  const { details, content, loads, mixed, undecided } = useStudy(viewing, study, at, wanted, row)
  if (details.isPending) return <Loader size="xs" m="xs" />
  if (details.isError) return <ErrorNote error={details.error} again={() => void details.refetch()} />
  return (
    <>
      {undecided ? <WhichPatient rows={details.data!.under} choose={choose} /> : <Heading study={details.data!} />}
      {content.map((one, number) => (
        <Entries
          key={one.series_uid}
          series={one}
          study={study}
          apart={mixed}
          stacks={loads[number]?.data}
          failed={Boolean(loads[number]?.isError)}
          shown={shown}
          choose={(stack) => (stack ? viewing.show(stack) : wants(one.series_uid))}
        />
      ))}
    </>
  )
}
