import { useQuery } from '@tanstack/react-query'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { type ValueMatrix, valueMatrixQuery } from '../../api/value-queries.ts'
import { opens } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { csvText, download } from '../../ui/csv.ts'
import { DepthName, depthNameKey } from '../../ui/Depth.tsx'
import { Figure } from '../../ui/Figure.tsx'
import { Loaded } from '../../ui/Loaded.tsx'
import { THIRDS, thirdKey } from './thirds.ts'

const DEPTHS = [5, 4, 3, 2, 1, 0] as const
/** The most people a tint stands for: text on it keeps its contrast. */
const TINT_MAX_PERCENT = 30

/** A table for each depth: what people bring themselves against what they bring by others. Each cell opens its people. */
export function ValueMatrices({ asOf }: { asOf: string | undefined }) {
  const { t } = useTranslation()
  const { money } = useBrandFormat()
  const query = useQuery(valueMatrixQuery(asOf))
  const cuts = (minors: readonly number[]) =>
    minors.every((minor) => minor === 0) ? '–' : minors.map(money).join(' · ')
  return (
    <section aria-labelledby="matrix-title">
      <div className="chart-head">
        <h2 id="matrix-title">{t('value.matrix')}</h2>
        {query.data && <CsvButton matrix={query.data} asOf={asOf} />}
      </div>
      <Loaded query={query} problem={t('value.problem')} lines={[90, 72, 84, 66, 78]}>
        {(matrix) =>
          matrix.cells.length === 0 ? (
            <p className="soft">{t('list.empty')}</p>
          ) : (
            <>
              {matrix.referrals === 0 && <NobodyReferred matrix={matrix} />}
              <div className="value-matrices">
                {DEPTHS.filter((depth) => matrix.cells.some((cell) => cell.depth === depth)).map((depth) => (
                  <DepthMatrix key={depth} depth={depth} matrix={matrix} />
                ))}
              </div>
              <p className="note">
                {t('value.matrix_note', {
                  own: cuts(matrix.own_cuts_minor),
                  influenced: cuts(matrix.influenced_cuts_minor),
                })}
              </p>
            </>
          )
        }
      </Loaded>
    </section>
  )
}

/** Why nobody has propagation value: the columns for it stand empty. */
function NobodyReferred({ matrix: { claims } }: { matrix: ValueMatrix }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  return (
    <p className="value-notice">
      {claims === 0 ? t('value.no_claims') : t('value.no_referrals', { claims: count(claims), count: claims })}
    </p>
  )
}

function DepthMatrix({ depth, matrix }: { depth: number; matrix: ValueMatrix }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const here = matrix.cells.filter((cell) => cell.depth === depth)
  const largest = Math.max(1, ...here.map((cell) => cell.people))
  const title = `value-matrix-${depth}`
  return (
    <div>
      <h3 id={title}>
        <DepthName depth={depth} />
        <span className="aside">
          {t('list.total', {
            people: count(here.reduce((sum, cell) => sum + cell.people, 0)),
            count: here.reduce((sum, cell) => sum + cell.people, 0),
          })}
        </span>
      </h3>
      <table className="plain" aria-labelledby={title}>
        <thead>
          <tr>
            <th scope="col">{t('value.matrix_corner')}</th>
            {THIRDS.map((propagation) => (
              <th key={propagation} scope="col" className="number">
                {t(thirdKey(propagation))}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {THIRDS.toReversed().map((transaction) => (
            <tr key={transaction}>
              <th scope="row">{t(thirdKey(transaction))}</th>
              {THIRDS.map((propagation) => {
                const people =
                  here.find((cell) => cell.transaction === transaction && cell.propagation === propagation)?.people ?? 0
                // By area, as an eye reads it: a cell of a quarter of the people is half as strong.
                const tint = Math.round(Math.sqrt(people / largest) * TINT_MAX_PERCENT)
                const name = [
                  `${depth} ${t(depthNameKey(depth))}`,
                  t('value.transaction', { third: t(thirdKey(transaction)) }),
                  t('value.propagation', { third: t(thirdKey(propagation)) }),
                ].join(' · ')
                return (
                  <td
                    key={propagation}
                    className="number"
                    style={
                      tint > 0 ? { background: `color-mix(in srgb, var(--value) ${tint}%, transparent)` } : undefined
                    }
                  >
                    {people === 0 ? (
                      <span className="faint">0</span>
                    ) : (
                      <Figure
                        opened={opens.valued(depth, transaction, propagation)}
                        label={t('figures.open', { name, value: count(people) })}
                      >
                        {count(people)}
                      </Figure>
                    )}
                  </td>
                )
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function CsvButton({ matrix, asOf }: { matrix: ValueMatrix; asOf: string | undefined }) {
  const { t } = useTranslation()
  const { amount, currency, day } = useBrandFormat()
  const name = asOf === undefined ? 'value-matrix.csv' : `value-matrix-${day(asOf)}.csv`
  const header = [
    t('depth.level'),
    t('csv.depth_name'),
    t('value.transaction_column'),
    t('value.propagation_column'),
    t('depth.people'),
    t('value.own_column', { currency }),
    t('value.allocated_column', { currency }),
  ]
  const rows = matrix.cells.map((cell) => [
    cell.depth,
    t(depthNameKey(cell.depth)),
    t(thirdKey(cell.transaction)),
    t(thirdKey(cell.propagation)),
    cell.people,
    amount(cell.own_minor),
    amount(cell.allocated_minor),
  ])
  return (
    <Button
      type="text"
      size="small"
      onClick={() => download(name, csvText([header, ...rows]), 'text/csv;charset=utf-8')}
    >
      {t('chart.csv')}
    </Button>
  )
}
