import { eventTarget } from '@cornerstonejs/core'
import { useEffect } from 'react'

import { POINTED, type Pointed } from './engine/kinds'
import type { Viewing } from './model'

/** Shows in the other panes where somebody points with the 3D cursor. */
export function usePointing(viewing: Viewing): void {
  useEffect(() => {
    const pointed = (event: Event) => {
      const { viewport, world } = (event as CustomEvent<Pointed>).detail
      viewing.point(viewport, world)
    }
    eventTarget.addEventListener(POINTED, pointed)
    return () => eventTarget.removeEventListener(POINTED, pointed)
  }, [viewing])
}
