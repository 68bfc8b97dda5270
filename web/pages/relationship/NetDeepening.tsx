import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { type MigrationReport, migrationQuery, type Span } from '../../api/queries.ts'
import { type Opened, opens } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { Figure } from '../../ui/Figure.tsx'
import { spanBefore } from './span.ts'

/** The figure of the page: who is deeper less who is not, over which span, and how that compares with the one before. */
export function NetDeepening({ report, span }: { report: MigrationReport; span: Span }) {
  const { t } = useTranslation()
  const { count, signed, signedMoney, instant } = useBrandFormat()
  const earlier = useQuery(migrationQuery(spanBefore(span))).data
  const moved = report.ups + report.downs
  const figures: { id: string; name: string; value: string; people: number; opened: Opened; note: ReactNode }[] = [
    {
      id: 'net',
      name: t('migration.net'),
      value: signed(report.net_deepening),
      people: moved,
      opened: opens.moved('any'),
      note: earlier ? (
        <>
          {t('migration.earlier')}{' '}
          <Figure
            opened={opens.moved('any')}
            span={spanBefore(span)}
            label={t('migration.earlier_open', {
              value: signed(earlier.net_deepening),
              from: instant(earlier.from),
              to: instant(earlier.to),
            })}
          >
            {signed(earlier.net_deepening)}
          </Figure>
        </>
      ) : (
        '\u00a0'
      ),
    },
    {
      id: 'ups',
      name: t('migration.ups'),
      value: count(report.ups),
      people: report.ups,
      opened: opens.moved('up'),
      note: t('migration.ups_note'),
    },
    {
      id: 'downs',
      name: t('migration.downs'),
      value: count(report.downs),
      people: report.downs,
      opened: opens.moved('down'),
      note: t('migration.downs_note'),
    },
  ]
  return (
    <section aria-labelledby="net-title">
      <h2 id="net-title">
        {t('migration.net_title')}{' '}
        <span className="aside">
          {t('migration.net_aside', {
            from: instant(report.from),
            to: instant(report.to),
            people: count(report.people),
          })}
        </span>
      </h2>
      <dl className="net">
        {figures.map(({ id, name, value, people, opened, note }) => (
          <div key={id} className={`net-${id}`}>
            <dt>{name}</dt>
            <dd>
              {people === 0 ? (
                <span className="faint">{value}</span>
              ) : (
                <Figure opened={opened} label={t('figures.open', { name, value })}>
                  {value}
                </Figure>
              )}
            </dd>
            <dd className="net-note">{note}</dd>
          </div>
        ))}
        <div className="net-value">
          <dt>{t('migration.by_value')}</dt>
          <dd className="value">{signedMoney(report.net_deepening_value_minor)}</dd>
          <dd className="net-note">
            {report.unvalued > 0
              ? t('migration.unvalued', { people: count(report.unvalued), count: report.unvalued })
              : t('migration.by_value_note')}
          </dd>
        </div>
      </dl>
    </section>
  )
}
