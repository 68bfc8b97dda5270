import { useTranslation } from 'react-i18next'
import type { MigrationReport } from '../../api/queries.ts'
import { opens } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { DepthMark, DepthName, depthNameKey } from '../../ui/Depth.tsx'
import { Figure } from '../../ui/Figure.tsx'

/** The matrix of `./perennial depth --from --to`: down where people were, across where they are; on the diagonal who stayed. */
export function FlowTable({ report }: { report: MigrationReport }) {
  const { t } = useTranslation()
  const { amount, currency } = useBrandFormat()
  const depths = report.depths.toSorted((a, b) => b.depth - a.depth)
  const peopleOf = (from: number, to: number) =>
    report.flows.find((flow) => flow.from_depth === from && flow.to_depth === to)?.people ?? 0
  return (
    <div className="wide-table">
      <table className="matrix flow-matrix" aria-label={t('migration.flows')}>
        <thead>
          <tr>
            <th scope="col">{t('migration.from_to')}</th>
            {depths.map(({ depth }) => (
              <th key={depth} scope="col" className="number">
                <DepthMark depth={depth} /> <span className="matrix-name">{`${depth} ${t(depthNameKey(depth))}`}</span>
              </th>
            ))}
            <th scope="col" className="number">
              {t('migration.all')}
            </th>
          </tr>
        </thead>
        <tbody>
          {depths.map((row) => (
            <tr key={row.depth}>
              <th scope="row">
                <DepthName depth={row.depth} />
              </th>
              {depths.map(({ depth: to }) => (
                <Cell key={to} from={row.depth} to={to} people={peopleOf(row.depth, to)} />
              ))}
              <Cell from={row.depth} to={undefined} people={row.people_from} />
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr className="matrix-total">
            <th scope="row">{t('migration.all')}</th>
            {depths.map((row) => (
              <Cell key={row.depth} from={undefined} to={row.depth} people={row.people_to} />
            ))}
            <Cell from={undefined} to={undefined} people={report.people} />
          </tr>
          <tr>
            <th scope="row">{t('migration.value_of_depth', { currency })}</th>
            {depths.map((row) => (
              <td key={row.depth} className="number value">
                {row.value_minor === null ? <span className="faint">–</span> : amount(row.value_minor)}
              </td>
            ))}
            <td />
          </tr>
        </tfoot>
      </table>
    </div>
  )
}

function Cell({ from, to, people }: { from: number | undefined; to: number | undefined; people: number }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const end = (depth: number | undefined) =>
    depth === undefined ? t('migration.all') : `${depth} ${t(depthNameKey(depth))}`
  const isStay = from !== undefined && from === to
  return (
    <td className={isStay ? 'number matrix-stay' : 'number'}>
      {people === 0 ? (
        <span className="faint">0</span>
      ) : (
        <Figure
          opened={opens.flow(from, to)}
          label={t('figures.open', { name: `${end(from)} → ${end(to)}`, value: count(people) })}
        >
          {count(people)}
        </Figure>
      )}
    </td>
  )
}
