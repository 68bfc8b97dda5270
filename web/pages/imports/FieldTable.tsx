import { useTranslation } from 'react-i18next'
import type { UploadGuess } from '../../api/import-queries.ts'
import type { Draft } from './draft.ts'
import { fieldName } from './labels.ts'

interface FieldTableProps {
  draft: Draft
  guess: UploadGuess
  /** Fields without which nothing can be read. */
  missing: readonly string[]
  onColumn: (field: string, column: string) => void
}

/** Which column each field is read from; fields that have none, and need none, wait below. */
export function FieldTable({ draft, guess, missing, onColumn }: FieldTableProps) {
  const { t } = useTranslation()
  const { kind, columns } = draft.mapping
  const all = guess.kinds.find((one) => one.kind === kind)?.fields ?? []
  const fields = kind === 'orders' ? all.filter((field) => !STATUS_FIELDS.includes(field)) : all
  // An order needs no customer, and a file without its customers is of little use.
  const isShown = (field: string) =>
    field in columns || missing.includes(field) || draft.byHand.includes(field) || isCustomer(kind, field)
  const further = fields.filter((field) => !isShown(field))
  const used = new Set(Object.values(columns).flat())
  const unused = guess.columns.filter(({ name }) => !used.has(name)).map(({ name }) => name)
  const row = (field: string) => (
    <FieldRow
      key={field}
      field={field}
      draft={draft}
      guess={guess}
      isMissing={missing.includes(field)}
      onColumn={(column) => onColumn(field, column)}
    />
  )
  return (
    <>
      <table className="plain fields" aria-label={t('map.title')}>
        <thead>
          <tr>
            <th scope="col" className="field-name">
              {t('map.field')}
            </th>
            <th scope="col" className="field-column">
              {t('map.column')}
            </th>
            <th scope="col">{t('map.samples')}</th>
            <th scope="col" className="field-sure">
              {t('map.confidence')}
            </th>
          </tr>
        </thead>
        <tbody>{fields.filter(isShown).map(row)}</tbody>
      </table>
      {kind === 'orders' && !('customer_id' in columns) && (
        <p className="note note-heed" role="status">
          {t('map.no_customer')}
        </p>
      )}
      {unused.length > 0 && <p className="note unused">{t('map.unused', { columns: unused.join('、') })}</p>}
      {further.length > 0 && (
        <details className="further">
          <summary>{t('map.more_fields', { count: further.length })}</summary>
          <table className="plain fields" aria-label={t('map.more_fields', { count: further.length })}>
            <tbody>{further.map(row)}</tbody>
          </table>
        </details>
      )}
    </>
  )
}

/** They have a form of their own. */
const STATUS_FIELDS = ['status', 'is_refunded']

function isCustomer(kind: string, field: string): boolean {
  return kind === 'orders' && field === 'customer_id'
}

interface FieldRowProps {
  field: string
  draft: Draft
  guess: UploadGuess
  isMissing: boolean
  onColumn: (column: string) => void
}

function FieldRow({ field, draft, guess, isMissing, onColumn }: FieldRowProps) {
  const { t } = useTranslation()
  const name = fieldName(t, field)
  const [column = ''] = draft.mapping.columns[field] ?? []
  const samples = guess.columns.find((one) => one.name === column)?.samples ?? []
  return (
    <tr className={isMissing ? 'field-missing' : undefined}>
      <th scope="row" className="field-name">
        {name}
        {isMissing && <span className="tag tag-harm">{t('map.needed')}</span>}
      </th>
      <td className="field-column">
        <select
          aria-label={`${name}: ${t('map.column')}`}
          value={column}
          onChange={(event) => onColumn(event.target.value)}
        >
          <option value="">{t('map.no_column')}</option>
          {guess.columns.map((one) => (
            <option key={one.name} value={one.name}>
              {one.name}
            </option>
          ))}
        </select>
      </td>
      <td className="field-samples soft">{samples.join(' · ')}</td>
      <td className="field-sure">
        <Sureness field={field} column={column} draft={draft} guess={guess} />
      </td>
    </tr>
  )
}

/** From here on a guess is right nearly always; below the other one somebody has to look. */
const [SURE, LIKELY] = [0.85, 0.65]

function Sureness({
  field,
  column,
  draft,
  guess,
}: Pick<FieldRowProps, 'field' | 'draft' | 'guess'> & { column: string }) {
  const { t } = useTranslation()
  if (column === '') return null
  if (draft.byHand.includes(field)) return <span className="soft">{t('map.by_hand')}</span>
  const guessed = guess.guess?.columns.find((one) => one.field === field && one.column === column)
  if (!guessed || guess.guess?.mapping.kind !== draft.mapping.kind) return null
  if (guessed.confidence >= SURE) return <span className="soft">{t('map.sure_of')}</span>
  if (guessed.confidence >= LIKELY) return <span>{t('map.likely')}</span>
  return <strong className="value">{t('map.doubtful')}</strong>
}
