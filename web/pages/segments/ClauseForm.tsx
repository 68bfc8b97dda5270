import { useTranslation } from 'react-i18next'
import type { ClauseKind } from './clause-kinds.ts'
import { isDefinition } from './definition.ts'
import { type Clause, type Field, givenOf, type RangeField, withField } from './fields.ts'
import { Labelled, NumberInput, RangeInput, TextInput, TextsInput, WindowInput } from './inputs.tsx'

interface ClauseFormProps {
  kind: ClauseKind
  clause: Clause
  onChange: (clause: Clause) => void
}

/** What a clause asks for, one input for each thing that it may ask for. */
export function ClauseForm({ kind, clause, onChange }: ClauseFormProps) {
  return (
    <div className="clause-form">
      {kind.fields.map((field) => (
        <FieldInput key={field.name} field={field} clause={clause} onChange={onChange} />
      ))}
    </div>
  )
}

interface FieldInputProps {
  field: Field
  clause: Clause
  onChange: (clause: Clause) => void
}

function FieldInput({ field, clause, onChange }: FieldInputProps) {
  const { t } = useTranslation()
  const value = givenOf(field, clause)
  const set = (said: unknown, drops?: readonly string[]) => onChange(withField(clause, field.name, said, drops))
  const label = t(field.label)
  switch (field.as) {
    case 'measure':
      return <MeasureInput label={label} measures={field.of} clause={clause} onChange={onChange} />
    case 'range':
      return (
        <RangeInput
          label={label}
          value={isDefinition(value) ? value : {}}
          unit={field.unit}
          min={field.min}
          isBelow={field.isBelow}
          onChange={set}
        />
      )
    case 'number':
      return (
        <NumberInput
          label={label}
          value={typeof value === 'number' ? value : undefined}
          unit={field.unit}
          min={1}
          onChange={set}
        />
      )
    case 'many':
      return <ManyInput label={label} field={field} value={Array.isArray(value) ? value : []} onChange={set} />
    case 'one':
      return (
        <Labelled label={label}>
          {(id) => (
            <select
              id={id}
              value={value === undefined ? '' : String(value)}
              onChange={(event) => {
                const chosen = field.options.find((option) => String(option.value) === event.target.value)
                set(chosen?.value, chosen ? field.drops : [])
              }}
            >
              {(field.isOptional || value === undefined) && <option value="">{t('asks.any')}</option>}
              {field.options.map((option) => (
                <option key={String(option.value)} value={String(option.value)}>
                  {t(option.label)}
                </option>
              ))}
            </select>
          )}
        </Labelled>
      )
    case 'texts':
      return (
        <TextsInput
          label={label}
          hint={t(field.hint)}
          value={Array.isArray(value) ? value.map(String) : []}
          onChange={set}
        />
      )
    case 'text':
      return (
        <TextInput
          label={label}
          hint={t(field.hint)}
          value={typeof value === 'string' ? value : ''}
          onChange={(text) => set(text, text === undefined ? [] : field.drops)}
        />
      )
    case 'window':
      return <WindowInput label={label} value={isDefinition(value) ? value : undefined} onChange={set} />
  }
}

interface ManyInputProps {
  label: string
  field: Extract<Field, { as: 'many' }>
  value: readonly unknown[]
  onChange: (value: unknown[] | undefined) => void
}

function ManyInput({ label, field, value, onChange }: ManyInputProps) {
  const { t } = useTranslation()
  return (
    <fieldset className="builder-many">
      <legend>{label}</legend>
      {field.options.map((option) => {
        const name = t(option.label)
        const isChosen = value.includes(option.value)
        return (
          <label key={String(option.value)} className={isChosen ? 'chip chip-chosen' : 'chip'}>
            <input
              type="checkbox"
              checked={isChosen}
              onChange={() => {
                const chosen = field.options
                  .map((one) => one.value)
                  .filter((one) => (one === option.value ? !isChosen : value.includes(one)))
                onChange(chosen.length === 0 ? undefined : chosen)
              }}
            />
            {field.isScale && name !== String(option.value) ? `${option.value} ${name}` : name}
          </label>
        )
      })}
    </fieldset>
  )
}

interface MeasureInputProps {
  label: string
  measures: readonly RangeField[]
  clause: Clause
  onChange: (clause: Clause) => void
}

/** What is measured, and its range; to choose another one leaves the range behind, which counted something else. */
function MeasureInput({ label, measures, clause, onChange }: MeasureInputProps) {
  const { t } = useTranslation()
  const measure = measures.find(({ name }) => clause[name] !== undefined) ?? measures[0]
  if (!measure) return null
  const value = clause[measure.name]
  const names = measures.map(({ name }) => name)
  const set = (name: string, range: unknown) => {
    const { [measure.name]: _before, ...rest } = clause
    onChange({ [name]: range, ...Object.fromEntries(Object.entries(rest).filter(([other]) => !names.includes(other))) })
  }
  return (
    <div className="builder-measure">
      <Labelled label={label}>
        {(id) => (
          <select id={id} value={measure.name} onChange={(event) => set(event.target.value, { at_least: 1 })}>
            {measures.map((one) => (
              <option key={one.name} value={one.name}>
                {t(one.label)}
              </option>
            ))}
          </select>
        )}
      </Labelled>
      <RangeInput
        label={t(measure.label)}
        isNamed
        value={isDefinition(value) ? value : {}}
        unit={measure.unit}
        min={measure.min}
        // An empty range is refused in words; without it the measure would be forgotten while somebody types.
        onChange={(range) => set(measure.name, range ?? {})}
      />
    </div>
  )
}
