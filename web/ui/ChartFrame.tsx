import { Button } from 'antd'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { csvText, download } from './csv.ts'

interface ChartFrameProps {
  id: string
  title: string
  aside?: ReactNode
  isTable: boolean
  onTable: (isTable: boolean) => void
  /** Name of the file without its ending, and its rows with the header first. */
  csv: { name: string; rows: readonly (readonly (string | number | null)[])[] }
  children: ReactNode
}

/** A chart with what each has: the same as a table, and as a file. */
export function ChartFrame({ id, title, aside, isTable, onTable, csv, children }: ChartFrameProps) {
  const { t } = useTranslation()
  return (
    <section aria-labelledby={id}>
      <div className="chart-head">
        <h2 id={id}>
          {title} {aside && <span className="aside">{aside}</span>}
        </h2>
        <Button type="text" size="small" aria-pressed={isTable} onClick={() => onTable(!isTable)}>
          {isTable ? t('chart.as_chart') : t('chart.as_table')}
        </Button>
        <Button
          type="text"
          size="small"
          onClick={() => download(`${csv.name}.csv`, csvText(csv.rows), 'text/csv;charset=utf-8')}
        >
          {t('chart.csv')}
        </Button>
      </div>
      {children}
    </section>
  )
}
