/** The same was examined, or ordered, a few days ago: shown before it is ordered again. */
import { Alert, Anchor, Checkbox } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { moment } from '../app/format'
import { findExams, useMaster, wordsOfKind, type Listed } from './model'
import type { WantedProcedure } from './Procedures'
import { Procedure, State } from './State'

/** Exams of a person of the same modality and part as what is wanted, within the days that the department says; undefined
 * while nobody knows. */
export function useEarlier(person: number | undefined, wanted: WantedProcedure[]): Listed[] | undefined {
  const master = useMaster()
  const days = master.data?.repeat_days ?? 0
  const query = useQuery({
    queryKey: ['exams', 'of', person],
    queryFn: () => findExams({ person, limit: 100 }),
    enabled: person !== undefined && days > 0 && wanted.length > 0,
    staleTime: 10_000,
  })
  // what cannot be read must not stop the desk
  if (master.isLoading || query.isLoading) return undefined
  const words = wordsOfKind(master.data, 'procedure')
  const parts = wanted.map((one) => words.find((word) => word.code === one.procedure)?.more)
  const since = Date.now() - days * 86_400_000
  return (query.data?.exams ?? []).filter(
    ({ exam }) => exam.state < 'X' && new Date(exam.ordered_at).getTime() > since && parts.some((more) => more && more.modality === exam.modality && (more.body_part ?? '') === exam.body_part),
  )
}

export function Earlier({ found, despite, set }: { found: Listed[]; despite: boolean; set: (despite: boolean) => void }) {
  const { t } = useTranslation()
  if (found.length === 0) return null
  return (
    <Alert color="yellow" variant="light" p="xs" title={t('department.earlier.title')}>
      {found.slice(0, 5).map(({ exam }) => (
        <div key={exam.id} style={{ display: 'flex', flexWrap: 'wrap', gap: '0.25rem 0.75rem' }}>
          <Anchor component={Link} href={`/exams/${exam.id}`} size="sm" c="inherit" underline="always">
            {exam.number || t('department.noNumber')}
          </Anchor>
          <span>
            <Procedure exam={exam} />
          </span>
          <span>{moment(exam.finished_at ?? exam.arrived_at ?? exam.ordered_at)}</span>
          <State state={exam.state} />
        </div>
      ))}
      <Checkbox mt={6} label={t('department.earlier.despite')} checked={despite} onChange={(event) => set(event.currentTarget.checked)} />
    </Alert>
  )
}
