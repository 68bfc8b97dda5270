import { useEffect, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Definition, isDefinition } from './definition.ts'

interface DefinitionJsonProps {
  definition: Definition
  onChange: (definition: Definition) => void
}

/** The definition as the API takes it. What reads as one is taken over; what does not stays here with the reason. */
export function DefinitionJson({ definition, onChange }: DefinitionJsonProps) {
  const { t } = useTranslation()
  const fieldId = useId()
  const problemId = useId()
  const [typed, setTyped] = useState(() => JSON.stringify(definition, undefined, 2))
  const [problem, setProblem] = useState<string>()

  useEffect(() => {
    // Changed by the rows beside: shown anew, unless what stands here says the same.
    setTyped((now) => {
      if (sameJson(now, definition)) return now
      return JSON.stringify(definition, undefined, 2)
    })
    setProblem(undefined)
  }, [definition])

  const read = (text: string) => {
    setTyped(text)
    try {
      const value: unknown = JSON.parse(text)
      if (!isDefinition(value)) return setProblem(t('builder.json_object'))
      setProblem(undefined)
      onChange(value)
    } catch (error) {
      setProblem(t('builder.json_bad', { reason: error instanceof Error ? error.message : '' }))
    }
  }
  return (
    <div className="definition-json">
      <label htmlFor={fieldId}>{t('builder.json_label')}</label>
      <textarea
        id={fieldId}
        value={typed}
        rows={Math.min(24, Math.max(8, typed.split('\n').length + 1))}
        spellCheck={false}
        aria-invalid={problem !== undefined}
        aria-describedby={problem ? problemId : undefined}
        onChange={(event) => read(event.target.value)}
      />
      {problem && (
        <p id={problemId} className="clause-finding" role="alert">
          {problem}
        </p>
      )}
      <p className="note">{t('builder.json_note')}</p>
    </div>
  )
}

function sameJson(text: string, definition: Definition): boolean {
  try {
    return JSON.stringify(JSON.parse(text)) === JSON.stringify(definition)
  } catch {
    return false
  }
}
