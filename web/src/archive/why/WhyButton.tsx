import { Button } from '@mantine/core'
import { lazy, Suspense, useState } from 'react'
import { useTranslation } from 'react-i18next'

const Why = lazy(() => import('./Why').then((one) => ({ default: one.Why })))

/** Beside the words that something is not there. */
export function WhyButton({ number = '' }: { number?: string }) {
  const { t } = useTranslation()
  const [shown, setShown] = useState(false)
  return (
    <>
      <Button variant="default" onClick={() => setShown(true)}>
        {t('why.link')}
      </Button>
      {shown && (
        <Suspense>
          <Why number={number} close={() => setShown(false)} />
        </Suspense>
      )}
    </>
  )
}
