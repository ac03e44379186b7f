import { MultiSelect, NumberInput, Select, SimpleGrid, TextInput } from '@mantine/core'

import type { components } from '../api/schema'
import { either, type Values } from './model'

type Form = components['schemas']['TemplateWords'] | null
type Value = Values[string]

interface Props {
  form: Form
  values: Values
  set: (values: Values) => void
  language: 'zh' | 'en'
}

/** The structured fields of a template. */
export function Fields({ form, values, set, language }: Props) {
  const fields = form?.content.fields ?? []
  if (fields.length === 0) return null
  const put = (name: string, value: Value) => set({ ...values, [name]: value })
  return (
    <SimpleGrid cols={2} spacing="xs" verticalSpacing="xs" mb="sm">
      {fields.map((field) => {
        const value = values[field.name] ?? null
        const label = either(field.label_zh, field.label_en) || field.name
        const data = (field.choices ?? []).map((one) => ({ value: one.value, label: (language === 'zh' ? one.label_zh : one.label_en) || one.value }))
        const shared = { key: field.name, label, withAsterisk: field.required }
        switch (field.kind) {
          case 'number':
            return (
              <NumberInput
                {...shared}
                key={field.name}
                suffix={field.unit ? ` ${field.unit}` : undefined}
                value={typeof value === 'number' ? value : ''}
                error={outside(value, field.least, field.most)}
                onChange={(next) => put(field.name, typeof next === 'number' ? next : null)}
                hideControls
              />
            )
          case 'choice':
            return <Select {...shared} key={field.name} data={data} value={(value as string | null) ?? null} onChange={(next) => put(field.name, next)} clearable />
          case 'choices':
            return <MultiSelect {...shared} key={field.name} data={data} value={Array.isArray(value) ? value : []} onChange={(next) => put(field.name, next)} />
          default:
            return <TextInput {...shared} key={field.name} value={typeof value === 'string' ? value : ''} onChange={(event) => put(field.name, event.currentTarget.value)} />
        }
      })}
    </SimpleGrid>
  )
}

/** The range, where a value is outside of it. */
function outside(value: Value, least: number | null | undefined, most: number | null | undefined): string | undefined {
  if (typeof value !== 'number') return undefined
  if ((least ?? -Infinity) <= value && value <= (most ?? Infinity)) return undefined
  return `${least ?? ''} – ${most ?? ''}`
}
