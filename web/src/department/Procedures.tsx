import { ActionIcon, SegmentedControl, Select } from '@mantine/core'
import { IconX } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import classes from './Department.module.css'
import { nameOf, procedureOptions, SIDES, useMaster, wordsOfKind } from './model'

export interface WantedProcedure {
  procedure: string
  side: '' | 'L' | 'R' | 'B'
}

/** What is asked for: one procedure after another, with its side and what has to be prepared. */
interface Props {
  wanted: WantedProcedure[]
  set: (wanted: WantedProcedure[]) => void
  /** Of the field in which a procedure is looked for. */
  id: string
}

export function Procedures({ wanted, set, id }: Props) {
  const { t, i18n } = useTranslation()
  const master = useMaster()
  const [typed, setTyped] = useState('')
  const words = wordsOfKind(master.data, 'procedure')
  const chosen = new Set(wanted.map((one) => one.procedure))
  return (
    <section className={classes.block}>
      <h2 className={classes.blockTitle}>{t('department.procedures')}</h2>
      {wanted.map((one, at) => {
        const word = words.find((each) => each.code === one.procedure)
        const preparation = String(word?.more[i18n.language === 'zh' ? 'preparation_zh' : 'preparation_en'] ?? '')
        return (
          <div key={one.procedure} style={{ display: 'flex', flexWrap: 'wrap', alignItems: 'center', gap: '0.5rem', minHeight: '2rem' }}>
            <span style={{ flex: '1 1 12rem', fontSize: '0.8125rem' }}>
              <b>{nameOf(word, one.procedure)}</b>
              <span className={classes.dim}>
                {' '}
                {String(word?.more.modality ?? '')} · {t('department.minutes', { count: Number(word?.more.minutes ?? 15) })}
                {preparation && ` · ${preparation}`}
              </span>
            </span>
            {Boolean(word?.more.sides) && (
              <SegmentedControl
                aria-label={t('department.side')}
                data={[{ value: '', label: '?' }, ...SIDES.map((side) => ({ value: side as string, label: t(`department.sides.${side}`) }))]}
                value={one.side}
                onChange={(side) => set(wanted.map((each, place) => (place === at ? { ...each, side: side as 'L' } : each)))}
              />
            )}
            <ActionIcon variant="subtle" color="gray" aria-label={t('department.removeProcedure')} onClick={() => set(wanted.filter((_, place) => place !== at))}>
              <IconX size={14} />
            </ActionIcon>
          </div>
        )
      })}
      <Select
        id={id}
        searchValue={typed}
        onSearchChange={setTyped}
        aria-label={t('department.procedure')}
        placeholder={t(wanted.length ? 'department.oneMore' : 'department.chooseProcedure')}
        data={procedureOptions(master.data).map((group) => ({ ...group, items: group.items.filter((item) => !chosen.has(item.value)) }))}
        value={null}
        onChange={(value) => {
          if (!value) return
          set([...wanted, { procedure: value, side: '' }])
          // after the field has written there what was chosen: the next one is asked for
          setTimeout(() => setTyped(''))
        }}
        selectFirstOptionOnChange selectFirstOptionOnDropdownOpen
        searchable
        maxDropdownHeight={320}
      />
    </section>
  )
}
