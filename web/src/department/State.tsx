import { useTranslation } from 'react-i18next'

import classes from './Department.module.css'
import { SIDES, procedureOf, spokenNames, toneOf, type Exam } from './model'

/** The state of an exam: its words, and a colour that says no more than they do. */
export function State({ state }: { state: string }) {
  const { t } = useTranslation()
  return (
    <span className={classes.state} data-tone={toneOf(state)}>
      {t(`department.states.${state}`)}
    </span>
  )
}

/** Whose exam it is: the name as it is read here, the other one beside it. */
export function Named({ row }: { row: { name: string; name_alphabetic: string } }) {
  const [first, second] = spokenNames(row)
  return (
    <>
      <span className={classes.name}>{first}</span>
      {second && <span className={classes.dim}> {second}</span>}
    </>
  )
}

export function Procedure({ exam }: { exam: Exam }) {
  const { t } = useTranslation()
  const side = SIDES.find((one) => one === exam.side)
  return (
    <>
      {procedureOf(exam)}
      {side && <span className={classes.dim}> · {t(`department.sides.${side}`)}</span>}
    </>
  )
}

export function Stat({ exam }: { exam: Pick<Exam, 'stat' | 'exam_class'> }) {
  const { t } = useTranslation()
  if (!exam.stat) return null
  return <span className={classes.stat}>{t('department.stat')}</span>
}
