import { useTranslation } from 'react-i18next'
import type { Brief } from '../../api/queries.ts'
import { opens } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { type DepthLevel, DepthName, depthLevel, depthNameKey } from '../../ui/Depth.tsx'
import { Figure } from '../../ui/Figure.tsx'

export function depthRuleKey(depth: number): `depth.rule_${DepthLevel}` {
  return `depth.rule_${depthLevel(depth)}`
}

/** The whole pool from shallow to deep: one bar of shares, and the same as a table. */
export function Depths({ brief }: { brief: Brief }) {
  const { t } = useTranslation()
  const { count, share, periodDays } = useBrandFormat()
  const rows = brief.depths.toSorted((a, b) => a.depth - b.depth)

  return (
    <section aria-labelledby="depth-title">
      <h2 id="depth-title">{t('depth.title')}</h2>
      <ul className="depth-bar" aria-label={t('depth.bar')}>
        {rows
          .filter((row) => row.people > 0)
          .map((row) => (
            <li
              key={row.depth}
              style={{
                flexGrow: row.people,
                background: `var(--depth-${row.depth})`,
                color: `var(--on-depth-${row.depth})`,
              }}
            >
              <Figure
                opened={opens.depth(row.depth)}
                className="depth-segment"
                // Begins with what is seen, however much of it fits: who speaks to the screen says what they read.
                label={t('depth.segment', {
                  depth: row.depth,
                  name: t(depthNameKey(row.depth)),
                  people: count(row.people),
                  share: share(row.people, brief.people),
                })}
              >
                <span className="depth-segment-level">{row.depth}</span>{' '}
                <span className="depth-segment-name">{t(depthNameKey(row.depth))}</span>{' '}
                <span className="depth-segment-share">{share(row.people, brief.people)}</span>
              </Figure>
            </li>
          ))}
      </ul>
      <table className="depths">
        <thead>
          <tr>
            <th scope="col">{t('depth.level')}</th>
            <th scope="col" className="depths-when">
              {t('depth.when')}
            </th>
            <th scope="col" className="number">
              {t('depth.people')}
            </th>
            <th scope="col" className="number">
              {t('depth.share')}
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.depth}>
              <th scope="row">
                <DepthName depth={row.depth} />
              </th>
              <td className="depths-when soft">{t(depthRuleKey(row.depth), { days: periodDays })}</td>
              <td className="number">
                {row.people > 0 ? (
                  <Figure
                    opened={opens.depth(row.depth)}
                    label={t('figures.open', { name: t(depthNameKey(row.depth)), value: count(row.people) })}
                  >
                    {count(row.people)}
                  </Figure>
                ) : (
                  <span className="faint">0</span>
                )}
              </td>
              <td className="number soft">{share(row.people, brief.people)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}
