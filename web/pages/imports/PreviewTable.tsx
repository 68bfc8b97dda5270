import { useTranslation } from 'react-i18next'
import type { ImportPreview } from '../../api/import-queries.ts'
import { cellName, cellText, reasonText } from './labels.ts'

/** What is wider than the page scrolls by itself, and by keys too: so it takes the focus. */
function scrollable(element: HTMLElement | null): void {
  if (element) element.tabIndex = 0
}

const NUMBERS = ['quantity', 'unit_price', 'amount', 'order_total', 'order_refunded', 'rating']

function classOf(cell: string): string {
  return NUMBERS.includes(cell) ? 'preview-cell number' : 'preview-cell'
}

/** The first rows as they would be stored, and those that would not be with their reason. */
export function PreviewTable({ preview, isStale }: { preview: ImportPreview; isStale: boolean }) {
  const { t } = useTranslation()
  const names = [...new Set(preview.rows.flatMap(({ cells }) => Object.keys(cells ?? {})))]
  if (preview.rows.length === 0) return <p className="soft">{t('map.preview_none')}</p>
  return (
    <section
      ref={scrollable}
      className={isStale ? 'preview stale' : 'preview'}
      aria-label={t('map.preview', { rows: preview.rows.length })}
      aria-busy={isStale}
    >
      <table className="plain">
        <thead>
          <tr>
            <th scope="col" className="preview-cell number">
              {t('map.line')}
            </th>
            {names.map((name) => (
              <th key={name} scope="col" className={classOf(name)}>
                {cellName(t, name)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {preview.rows.map(({ line, cells, reason }) => (
            <tr key={line}>
              <td className="preview-cell number faint">{line}</td>
              {cells ? (
                names.map((name) => (
                  <td key={name} className={classOf(name)}>
                    {cellText(t, cells[name])}
                  </td>
                ))
              ) : (
                <td
                  colSpan={Math.max(1, names.length)}
                  // What a rule leaves out is as it should be, and not red.
                  className={`preview-cell ${reason === 'left_out' ? 'soft' : 'preview-rejected'}`}
                >
                  {t('map.rejected', { reason: reasonText(t, reason ?? '') })}
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}
