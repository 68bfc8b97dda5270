import './status-words.css'
import { useQuery } from '@tanstack/react-query'
import { Button } from 'antd'
import { useDeferredValue, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import {
  guessQuery,
  type ImportKindName,
  previewQuery,
  type Upload,
  type UploadGuess,
} from '../../api/import-queries.ts'
import { FormProblem, ProblemPanel } from '../../ui/ProblemPanel.tsx'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import { chooseColumn, type Draft, draftOf, draftOfKind, wishOf } from './draft.ts'
import { FieldTable } from './FieldTable.tsx'
import { GoalChoice } from './GoalChoice.tsx'
import { fieldName } from './labels.ts'
import { MoreSettings } from './MoreSettings.tsx'
import { PreviewTable } from './PreviewTable.tsx'
import { SourceField } from './SourceField.tsx'
import { StatusWords } from './StatusWords.tsx'
import type { Begin } from './UploadPage.tsx'

interface MappingFormProps {
  upload: Upload
  begin: Begin
}

/** How a file is read: guessed, to be mended, and shown on its first rows while it is. */
export function MappingForm({ upload, begin }: MappingFormProps) {
  const { t } = useTranslation()
  const [sheet, setSheet] = useState(upload.task?.sheet ?? '')
  const { data: guess, error, isFetching, refetch } = useQuery(guessQuery(upload.upload_id, sheet || undefined))
  if (!guess) {
    return error ? (
      <>
        <ProblemPanel
          title={t('upload.problem')}
          error={error}
          kept={t('problem.kept')}
          onRetry={() => void (sheet === '' ? refetch() : setSheet(''))}
          retrying={isFetching}
        />
        {/* The server's own sentence says what the file is, or where it is damaged. */}
        <p className="note" lang="en">
          {error.message}
        </p>
      </>
    ) : (
      <div role="status" aria-label={t('upload.reading')}>
        <SkeletonRows lines={[52, 40, 61, 47, 55]} />
      </div>
    )
  }
  // Another sheet is another table: what was chosen for the one before does not fit it.
  return <Form key={sheet} upload={upload} guess={guess} sheet={sheet} onSheet={setSheet} begin={begin} />
}

interface FormProps extends MappingFormProps {
  guess: UploadGuess
  sheet: string
  onSheet: (sheet: string) => void
}

function Form({ upload, guess, sheet, onSheet, begin }: FormProps) {
  const { t } = useTranslation()
  const isSameSheet = (upload.task?.sheet ?? '') === sheet
  const [draft, setDraft] = useState<Draft>(() => {
    const begun = draftOf(guess, isSameSheet ? (upload.task ?? null) : null)
    return { ...begun, sheet, newBrand: begun.newBrand === '' ? t('goal.default') : begun.newBrand }
  })
  const [isAsked, setAsked] = useState(false)
  const titleId = useId()
  const wish = wishOf(draft)
  // What source and brand are called changes no row, and every letter of it would be a question.
  const newBrand = draft.newBrand === undefined ? undefined : '?'
  const asked = useDeferredValue(wishOf({ ...draft, source: '', isSourceSaid: false, newBrand }))
  const preview = useQuery(previewQuery(upload.upload_id, asked))
  const missing = preview.data?.missing ?? []
  const lacksSource = draft.source.trim() === ''
  const lacksName = !draft.isIntoDemo && draft.newBrand?.trim() === ''
  const isReady = preview.data !== undefined && missing.length === 0 && !preview.error

  const submit = (isDryRun: boolean) => {
    setAsked(true)
    if (!lacksSource && !lacksName && isReady) begin.mutate({ wish, isDryRun })
  }
  return (
    <section aria-labelledby={titleId} className="map">
      <h2 id={titleId}>{t('map.title')}</h2>
      <p className="soft">{t(certaintyOf(guess))}</p>
      {guess.header_line > 1 && <p className="soft">{t('map.header_line', { line: guess.header_line })}</p>}
      <div className="map-head">
        <label className="choice">
          <span>{t('map.kind')}</span>
          <select
            value={draft.mapping.kind}
            onChange={(event) => {
              const kind = guess.kinds.find((one) => one.kind === event.target.value)?.kind as ImportKindName
              setDraft({ ...draftOfKind(guess, kind), sheet })
            }}
          >
            {guess.kinds.map(({ kind }) => (
              <option key={kind} value={kind}>
                {t(`kind.${kind}`)}
              </option>
            ))}
          </select>
        </label>
        <SourceField
          draft={draft}
          guess={ofGoal(guess, draft)}
          isMissing={isAsked && lacksSource}
          onChange={setDraft}
        />
      </div>
      <FieldTable
        draft={draft}
        guess={guess}
        missing={missing}
        onColumn={(field, column) => setDraft(chooseColumn(draft, field, column))}
      />
      {draft.mapping.kind === 'orders' && <StatusWords draft={draft} guess={guess} onChange={setDraft} />}
      <GoalChoice draft={draft} guess={guess} isAsked={isAsked} onChange={setDraft} />
      <MoreSettings draft={draft} guess={guess} onChange={setDraft} onSheet={onSheet} />
      <h3>{t('map.preview', { rows: preview.data?.rows.length || 20 })}</h3>
      {missing.length > 0 && (
        <p className="form-problem" role="alert">
          {t('map.missing', { fields: missing.map((field) => fieldName(t, field)).join('、') })}
        </p>
      )}
      {preview.error && <FormProblem error={preview.error} />}
      {isReady && <PreviewTable preview={preview.data} isStale={preview.isPlaceholderData} />}
      {!isReady && !preview.error && <p className="soft">{t('map.preview_wait')}</p>}
      {begin.error && <FormProblem error={begin.error} />}
      <p className="map-actions">
        <Button onClick={() => submit(true)} loading={begin.isPending} disabled={!isReady}>
          {t('map.dry_run')}
        </Button>
        <Button type="primary" onClick={() => submit(false)} loading={begin.isPending} disabled={!isReady}>
          {t('map.import')}
        </Button>
        <span className="soft">{t('map.dry_run_note')}</span>
      </p>
    </section>
  )
}

/** In a brand that is yet to be made there is no other shop. */
function ofGoal(guess: UploadGuess, { newBrand }: Draft): UploadGuess {
  return newBrand === undefined ? guess : { ...guess, sources: [], is_source_known: true }
}

/** From here on a column is shown as sure or likely. */
const KNOWN = 0.75

function certaintyOf({ guess }: UploadGuess): 'map.sure' | 'map.states' | 'map.unsure' | 'map.nothing' {
  if (!guess) return 'map.nothing'
  const states = ['status', 'is_refunded']
  const others = guess.columns.filter(({ field }) => !states.includes(field))
  const hasStates = others.length < guess.columns.length
  const hasCustomer = others.some(({ field }) => field === 'customer_id')
  if (!guess.is_sure && hasStates && hasCustomer && others.every(({ confidence }) => confidence >= KNOWN))
    return 'map.states'
  return guess.is_sure ? 'map.sure' : 'map.unsure'
}
