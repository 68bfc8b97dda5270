import { useEffect, useId, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import type { UploadGuess } from '../../api/import-queries.ts'
import type { Draft } from './draft.ts'

interface SourceFieldProps {
  draft: Draft
  guess: UploadGuess
  isMissing: boolean
  onChange: (draft: Draft) => void
}

const SOURCES_SHOWN = 6

/**
 * Which shop or system a file is from. Where the guess cannot know it somebody has to say: two shops under one name would
 * correct each other's orders.
 */
export function SourceField({ draft, guess, isMissing, onChange }: SourceFieldProps) {
  const { t } = useTranslation()
  const id = useId()
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => {
    if (isMissing) field.current?.focus()
  }, [isMissing])
  const say = (source: string) => onChange({ ...draft, source, isSourceSaid: source.trim() !== '' })
  const isAsking = !guess.is_source_known
  return (
    <div className="source-field">
      <label htmlFor={id}>{t('map.source')}</label>
      <input
        ref={field}
        id={id}
        type="text"
        value={draft.source}
        maxLength={60}
        autoComplete="off"
        spellCheck={false}
        aria-invalid={isMissing}
        aria-describedby={`${id}-hint`}
        onChange={(event) => say(event.target.value)}
      />
      <p id={`${id}-hint`} className={isAsking ? 'source-ask' : 'choice-hint'}>
        {t(isAsking ? 'map.source_ask' : 'map.source_hint')}
      </p>
      {isMissing && (
        <p className="form-problem" role="alert">
          {t('map.source_missing')}
        </p>
      )}
      {isAsking && (
        <ul className="source-known">
          {guess.sources.slice(0, SOURCES_SHOWN).map(({ source, last_file: file }) => (
            <li key={source}>
              <label>
                <input
                  type="radio"
                  name={`${id}-known`}
                  checked={draft.isSourceSaid && draft.source === source}
                  onChange={() => say(source)}
                />{' '}
                {t('map.source_same', { source, file })}
              </label>
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}
