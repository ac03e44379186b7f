import { Button, Group } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { useSearchParams } from 'wouter'

import { moment } from '../app/format'
import type { Editing } from './editing'
import { Final } from './Final'
import { procedure, type Report } from './model'
import classes from './Workplace.module.css'

/** Earlier reports of the person, the newest first; their images come beside those that are read. */
export function Priors({ report, editing }: { report: Report; editing: Editing | null }) {
  const { t } = useTranslation()
  const [search, setSearch] = useSearchParams()
  if (report.priors.length === 0) return <p className={classes.dim}>{t('reporting.noPriors')}</p>
  const beside = (search.get('with') ?? '').split(',').filter(Boolean)
  return report.priors.map((one) => {
    const study = one.study_uids[0]
    return (
      <article key={one.exam} className={classes.prior}>
        <Group justify="space-between" wrap="nowrap" mb={4}>
          <strong>
            {moment(one.at).slice(0, 10)} · {one.modality} · {procedure(one)}
          </strong>
          <Group gap={4} wrap="nowrap">
            {editing && (
              <Button size="compact-xs" variant="subtle" onClick={() => editing.put({ comparison: t('reporting.comparedWith', { date: moment(one.at).slice(0, 10), procedure: procedure(one) }) })}>
                {t('reporting.compare')}
              </Button>
            )}
            {study && (
              <Button
                size="compact-xs"
                variant="light"
                disabled={beside.includes(study)}
                onClick={() =>
                  setSearch((before) => {
                    const next = new URLSearchParams(before)
                    next.set('with', [...beside, study].join(','))
                    return next
                  })
                }
              >
                {t('reporting.openBeside')}
              </Button>
            )}
          </Group>
        </Group>
        <Final final={one.final} people={report.people} signatures={[]} />
      </article>
    )
  })
}
