import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

import { api, data } from '../api/client'
import type { components } from '../api/schema'
import { showError } from '../app/errors'

type List = components['schemas']['DeviceList']

/** Asks devices whether they answer; the list shows each answer as it comes. */
export function useEcho() {
  const client = useQueryClient()
  const [waiting, setWaiting] = useState<ReadonlySet<string>>(new Set())

  const ask = async (titles: string[]) => {
    setWaiting(new Set(titles))
    let failed: unknown
    const one = async (title: string) => {
      try {
        const found = await data(api.POST('/devices/{ae_title}/check', { params: { path: { ae_title: title } } }))
        client.setQueryData<List>(['devices'], (list) =>
          list && { ...list, devices: list.devices.map((each) => (each.ae_title === title ? found.device : each)) },
        )
        void client.invalidateQueries({ queryKey: ['device', title] })
      } catch (error) {
        failed = error
      } finally {
        setWaiting((before) => new Set([...before].filter((each) => each !== title)))
      }
    }
    // a few at a time: each waits for a device that may not be there
    const left = [...titles]
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        for (let title = left.shift(); title; title = left.shift()) await one(title)
      }),
    )
    void client.invalidateQueries({ queryKey: ['alarms'] })
    if (failed) showError(failed)
  }

  return { ask, waiting }
}
