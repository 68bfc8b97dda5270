import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Button } from 'antd'
import { type ReactNode, useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { Problem } from '../../api/errors.ts'
import type { ImportReport, ImportTask, ImportWish, Upload } from '../../api/import-queries.ts'
import { sessionQuery } from '../../api/queries.ts'
import { defined } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { money } from '../../ui/format.ts'
import { FormProblem } from '../../ui/ProblemPanel.tsx'
import { useLanguage } from '../../ui/preferences.ts'
import { useMay } from '../../ui/session.ts'
import { shownBrand } from '../shell/BrandSwitch.tsx'
import { reasonText } from './labels.ts'
import type { Begin } from './UploadPage.tsx'

/** The button that began it is gone, and its focus with it: who goes by keyboard goes on at the result. */
function useTakenFocus() {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    if (document.activeElement === document.body) heading.current?.focus({ preventScroll: true })
  }, [])
  return heading
}

/** A file that was imported: what became of its rows, and where to look next. */
export function Result({ upload }: { upload: Upload }) {
  const { t } = useTranslation()
  const maySeePeople = useMay('people:read')
  const heading = useTakenFocus()
  const { data: session } = useQuery(sessionQuery)
  const report = upload.task?.report
  if (!report) return null
  const shown = session && shownBrand(session)
  // The page goes on showing the brand that it was loaded for.
  const elsewhere = session?.brands?.find(({ key }) => key === upload.task?.brand && key !== shown?.key)
  return (
    <section className="result" aria-labelledby="result-title">
      <h2 id="result-title" ref={heading} tabIndex={-1}>
        {t('result.done_title')}
      </h2>
      <p className="soft">{t('result.done_text', { seconds: report.seconds.toFixed(1) })}</p>
      <Counts report={report} />
      <Rejected upload={upload} report={report} />
      <p className="result-next">
        {maySeePeople && elsewhere && (
          <a href={`/?brand=${encodeURIComponent(elsewhere.key)}`}>
            {t('result.brand_link', { name: elsewhere.name })}
          </a>
        )}
        {maySeePeople && !elsewhere && (
          <>
            <Link to="/people" search={{}}>
              {t('result.people_link')}
            </Link>
            <Link to="/" search={{}}>
              {t('result.today_link')}
            </Link>
          </>
        )}
        <Link to="/import">{t('result.again')}</Link>
      </p>
    </section>
  )
}

/** What came of the last time, above the form that led to it. */
export function Ended({ upload, begin }: { upload: Upload; begin: Begin }) {
  const { t } = useTranslation()
  const heading = useTakenFocus()
  const { task } = upload
  if (!task) return null
  if (task.state === 'cancelled') {
    return (
      <section className="result" aria-labelledby="cancelled-title">
        <h2 id="cancelled-title">{t('result.cancelled_title')}</h2>
        <p>{t('result.cancelled_text')}</p>
      </section>
    )
  }
  if (task.problem) {
    const { code, message, remedy } = task.problem
    return (
      <section className="problem" aria-labelledby="refused-title">
        <h2 id="refused-title">{t('result.refused_title')}</h2>
        <FormProblem error={new Problem(code, 400, message, remedy)} />
        {/* The server's own sentence names the column or the sheet. */}
        <p className="note" lang="en">
          {message}
        </p>
      </section>
    )
  }
  if (!task.report) return null
  return (
    <section className="result" aria-labelledby="result-title">
      <h2 id="result-title" ref={heading} tabIndex={-1}>
        {t('result.tried_title')}
      </h2>
      <p className="soft">{t('result.tried_text')}</p>
      <Counts report={task.report} />
      <Rejected upload={upload} report={task.report} />
      <p className="map-actions">
        <Button
          type="primary"
          loading={begin.isPending}
          onClick={() => begin.mutate({ wish: triedWish(task), isDryRun: false })}
        >
          {t('result.import_this')}
        </Button>
        <span className="soft">{t('result.or_change')}</span>
      </p>
    </section>
  )
}

/** Exactly what was tried, whatever stands in the form by now. */
function triedWish({ mapping, source, sheet, options, into_demo, new_brand }: ImportTask): ImportWish {
  return { mapping, options, into_demo, ...defined({ source, sheet, new_brand }) }
}

function Counts({ report }: { report: ImportReport }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const language = useLanguage()
  const isOrders = report.kind === 'orders'
  return (
    <>
      {isOrders && report.people === 0 && report.orders > 0 && (
        <p className="note note-heed" role="status">
          {t('map.no_customer')}
        </p>
      )}
      <div className="result-columns">
        <Figures
          rows={[
            [t('result.rows'), count(report.rows_in)],
            [t('result.stored'), count(report.rows_stored)],
            [t('result.merged'), count(report.rows_merged)],
            [t('result.rejected'), count(report.rows_rejected)],
          ]}
        />
        <Figures
          rows={[
            [t('result.people'), count(report.people)],
            ...(isOrders
              ? ([
                  [t('result.orders'), count(report.orders)],
                  [t('result.refunds'), count(report.refunds)],
                  [
                    t('result.unmatched'),
                    report.unmatched_refunds === 0
                      ? count(0)
                      : t('result.unmatched_amount', {
                          refunds: count(report.unmatched_refunds),
                          money: money(report.unmatched_refunds_minor, report.currency, language),
                        }),
                  ],
                ] as const)
              : []),
          ]}
        />
        <Figures
          rows={[
            [t('result.new'), count(report.documents_new)],
            [t('result.corrected'), count(report.documents_corrected)],
            [t('result.known'), count(report.documents_known)],
            ...(report.documents_stale > 0 ? ([[t('result.stale'), count(report.documents_stale)]] as const) : []),
          ]}
        />
      </div>
    </>
  )
}

function Figures({ rows }: { rows: readonly (readonly [name: string, value: ReactNode])[] }) {
  return (
    <dl className="result-figures">
      {rows.map(([name, value]) => (
        <div key={name} className="result-figure">
          <dt>{name}</dt>
          <dd className="number">{value}</dd>
        </div>
      ))}
    </dl>
  )
}

function Rejected({ upload, report }: { upload: Upload; report: ImportReport }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const reasons = Object.entries(report.rejected_by_reason).sort(([, a], [, b]) => b - a)
  if (reasons.length === 0) return null
  return (
    <div className="rejected">
      <table className="plain" aria-label={t('result.reasons')}>
        <thead>
          <tr>
            <th scope="col">{t('result.reasons')}</th>
            <th scope="col" className="number">
              {t('result.count')}
            </th>
          </tr>
        </thead>
        <tbody>
          {reasons.map(([reason, rows]) => (
            <tr key={reason}>
              <td>{reasonText(t, reason)}</td>
              <td className="number">{count(rows)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {upload.has_rejects && (
        <p className="rejected-file">
          <a href={`/api/v1/uploads/${upload.upload_id}/rejects`} download>
            {t('result.download')}
          </a>
          <span className="soft">{t('result.mend')}</span>
        </p>
      )}
    </div>
  )
}
