import { useNavigate } from '@tanstack/react-router'
import { useCallback } from 'react'
import { useTranslation } from 'react-i18next'
import type { CalibrationRow, Equity } from '../../api/value-queries.ts'
import { defined } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { Chart, type ChartOption } from '../../ui/Chart.tsx'
import { ChartFrame } from '../../ui/ChartFrame.tsx'
import { chartPalette } from '../../ui/chart-theme.ts'
import { useIsDark } from '../../ui/preferences.ts'

const HEIGHT_PX = 240
/** Its row is of so many and more. */
const FREQUENCY_LAST = 7
const DIGITS = 2

/** What the model expected of days it was not shown, against what came. */
export function Calibration({ equity: { calibration }, isTable }: { equity: Equity; isTable: boolean }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const navigate = useNavigate()
  if (calibration.length === 0) {
    return (
      <section aria-labelledby="calibration-title">
        <h2 id="calibration-title">{t('value.calibration')}</h2>
        <p className="soft">{t('value.calibration_none')}</p>
      </section>
    )
  }
  return (
    <ChartFrame
      id="calibration-title"
      title={t('value.calibration')}
      aside={t('value.calibration_aside', { days: count(calibration[0]?.days ?? 0) })}
      isTable={isTable}
      onTable={(table) =>
        void navigate({
          to: '.',
          search: (now: Record<string, unknown>) => {
            const { table: _table, ...rest } = now
            return { ...rest, ...defined({ table: table || undefined }) }
          },
          replace: true,
          resetScroll: false,
        })
      }
      csv={{
        name: 'value-calibration',
        rows: [
          [t('value.frequency'), t('value.people'), t('value.expected_each'), t('value.actual_each')],
          ...calibration.map((row) => [row.frequency, row.people, row.expected, row.actual]),
        ],
      }}
    >
      {isTable ? <CalibrationTable rows={calibration} /> : <CalibrationChart rows={calibration} />}
    </ChartFrame>
  )
}

function useFrequencyName(): (row: CalibrationRow) => string {
  const { t } = useTranslation()
  return useCallback(
    ({ frequency }) =>
      t(frequency >= FREQUENCY_LAST ? 'value.frequency_more' : 'value.frequency_days', { days: frequency }),
    [t],
  )
}

function CalibrationTable({ rows }: { rows: readonly CalibrationRow[] }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const nameOf = useFrequencyName()
  return (
    <table className="plain" aria-label={t('value.calibration')}>
      <thead>
        <tr>
          <th scope="col">{t('value.frequency')}</th>
          {[t('value.people'), t('value.expected_each'), t('value.actual_each')].map((name) => (
            <th key={name} scope="col" className="number">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.frequency}>
            <th scope="row">{nameOf(row)}</th>
            <td className="number">{count(row.people)}</td>
            <td className="number">{row.expected.toFixed(DIGITS)}</td>
            <td className="number">{row.actual.toFixed(DIGITS)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function CalibrationChart({ rows }: { rows: readonly CalibrationRow[] }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const isDark = useIsDark()
  const nameOf = useFrequencyName()
  const optionFor = useCallback((): ChartOption => {
    const palette = chartPalette(isDark)
    const last = rows.length - 1
    const line = (name: string, color: string, type: 'solid' | 'dashed', isAbove: boolean) => ({
      type: 'line' as const,
      name,
      symbolSize: 6,
      lineStyle: { color, type },
      itemStyle: { color },
      // Named at its end, where no line runs; the upper one higher, so that near ends do not write over each other.
      label: {
        show: true,
        position: 'right' as const,
        offset: [2, isAbove ? -8 : 8],
        color: palette.ink,
        formatter: ({ dataIndex }: { dataIndex: number }) => (dataIndex === last ? name : ''),
      },
    })
    return {
      grid: { left: 40, right: 92, top: 28, bottom: 28 },
      tooltip: {
        trigger: 'axis',
        axisPointer: { type: 'line' },
        renderMode: 'richText',
        formatter: (shown) => {
          const row = rows[(Array.isArray(shown) ? shown[0] : shown)?.dataIndex ?? -1]
          if (!row) return ''
          return [
            `${t('value.frequency')} ${nameOf(row)}`,
            `${t('value.people')} ${count(row.people)}`,
            `${t('value.expected_each')} ${row.expected.toFixed(DIGITS)}`,
            `${t('value.actual_each')} ${row.actual.toFixed(DIGITS)}`,
          ].join('\n')
        },
      },
      xAxis: {
        type: 'category',
        data: rows.map(({ frequency }) => (frequency >= FREQUENCY_LAST ? `${frequency}+` : String(frequency))),
        axisLabel: { interval: 0 },
      },
      yAxis: { type: 'value', min: 0, splitNumber: 4 },
      series: (() => {
        const end = rows[last]
        const isActualAbove = end !== undefined && end.actual > end.expected
        return [
          {
            ...line(t('value.expected_each'), palette.value, 'dashed', !isActualAbove),
            data: rows.map((row) => row.expected),
          },
          {
            ...line(t('value.actual_each'), palette.accent, 'solid', isActualAbove),
            data: rows.map((row) => row.actual),
          },
        ]
      })(),
    }
  }, [rows, isDark, t, count, nameOf])
  return <Chart label={t('value.calibration_chart')} heightPx={HEIGHT_PX} optionFor={optionFor} />
}
