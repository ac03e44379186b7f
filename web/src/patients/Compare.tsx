import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import classes from './patients.module.css'

export interface Pair {
  name: string
  left: ReactNode
  right: ReactNode
  /** Both are known and contradict. */
  differs?: boolean
}

/** Two sides line by line; lines that contradict are marked, in colour and for screen readers. */
export function Compare({ left, right, pairs }: { left: ReactNode; right: ReactNode; pairs: Pair[] }) {
  const { t } = useTranslation()
  return (
    <table className={classes.compare}>
      <thead>
        <tr>
          <th scope="col" />
          <th scope="col">{left}</th>
          <th scope="col">{right}</th>
        </tr>
      </thead>
      <tbody>
        {pairs
          .filter((one) => one.left || one.right)
          .map((one) => (
            <tr key={one.name} data-differs={one.differs || undefined}>
              <th scope="row">
                {one.name}
                {one.differs && <span className={classes.side}>{t('patients.differs')}</span>}
              </th>
              <td>{one.left || '–'}</td>
              <td>{one.right || '–'}</td>
            </tr>
          ))}
      </tbody>
    </table>
  )
}
