import { useId } from 'react'
import { useTranslation } from 'react-i18next'
import type { UploadGuess } from '../../api/import-queries.ts'
import { type Counting, chooseStatus, countingOf, type Draft, sayCounting } from './draft.ts'

interface StatusWordsProps {
  draft: Draft
  guess: UploadGuess
  onChange: (draft: Draft) => void
}

const COUNTINGS = ['paid', 'given_back', 'unpaid'] as const

/** Which orders count: shops export those that nobody paid, and those that were closed, beside the others. */
export function StatusWords({ draft, guess, onChange }: StatusWordsProps) {
  const { t } = useTranslation()
  const titleId = useId()
  const [column = ''] = draft.mapping.columns.status ?? []
  const known = guess.guess?.mapping
  // A mapping that was written for a shop knows its states, and what it refunds by other columns.
  const isKnown = known && !['guessed', known.kind].includes(known.name) && known.columns.status !== undefined
  if (isKnown && column !== '') return null
  const candidates = guess.columns.filter(({ name, words }) => words.length > 0 || name === column)
  if (candidates.length === 0) return null
  const words = guess.columns.find(({ name }) => name === column)?.words ?? []
  return (
    <section className="status-words" aria-labelledby={titleId}>
      <h3 id={titleId}>{t('status.title')}</h3>
      <label className="choice">
        <span>{t('status.column')}</span>
        <select value={column} onChange={(event) => onChange(chooseStatus(draft, guess, event.target.value))}>
          <option value="">{t('status.none')}</option>
          {candidates.map(({ name }) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {words.length > 0 && (
        <>
          <ul aria-label={t('status.title')}>
            {words.map((word) => (
              <li key={word}>
                <label>
                  <span className="status-word">{word}</span>
                  <select
                    value={countingOf(draft, word)}
                    onChange={(event) => onChange(sayCounting(draft, word, event.target.value as Counting))}
                  >
                    {COUNTINGS.map((counting) => (
                      <option key={counting} value={counting}>
                        {t(`status.${counting}`)}
                      </option>
                    ))}
                  </select>
                </label>
              </li>
            ))}
          </ul>
          <p className="note">{t('status.note')}</p>
        </>
      )}
    </section>
  )
}
