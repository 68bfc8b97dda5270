import {
  BarChart,
  type BarSeriesOption,
  LineChart,
  type LineSeriesOption,
  SankeyChart,
  type SankeySeriesOption,
} from 'echarts/charts'
import {
  GridComponent,
  type GridComponentOption,
  TooltipComponent,
  type TooltipComponentOption,
} from 'echarts/components'
import { type ComposeOption, type ECElementEvent, init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import { useEffect, useRef } from 'react'
import { chartTheme } from './chart-theme.ts'
import { useIsDark, useLanguage } from './preferences.ts'

// What the pages draw and nothing else. SVG: sharp at any zoom and on paper, and light for a few dozen shapes.
use([BarChart, LineChart, SankeyChart, GridComponent, TooltipComponent, SVGRenderer])

export type ChartOption = ComposeOption<
  BarSeriesOption | LineSeriesOption | SankeySeriesOption | GridComponentOption | TooltipComponentOption
>

interface ChartProps {
  /** What the chart shows, for who does not see it; the same figures stand in the table beside or behind it. */
  label: string
  /** Made anew for each width: how much room labels have is part of what is drawn. */
  optionFor: (widthPx: number) => ChartOption
  heightPx: number
  onPick?: (event: ECElementEvent) => void
}

export function Chart({ label, optionFor, heightPx, onPick }: ChartProps) {
  const place = useRef<HTMLDivElement>(null)
  const isDark = useIsDark()
  const language = useLanguage()
  const pick = useRef(onPick)
  pick.current = onPick

  useEffect(() => {
    const element = place.current
    if (!element) return
    const chart = init(element, chartTheme(isDark, language))
    const draw = () => {
      chart.resize()
      // Not merged into what was there: nothing of an earlier span may be left. Calm: it does not fly in.
      chart.setOption({ animation: false, ...optionFor(element.clientWidth) }, { notMerge: true })
    }
    const watcher = new ResizeObserver(draw)
    watcher.observe(element)
    draw()
    chart.on('click', (event) => pick.current?.(event))
    return () => {
      watcher.disconnect()
      chart.dispose()
    }
  }, [isDark, language, optionFor])

  return <div ref={place} className="chart" role="img" aria-label={label} style={{ height: heightPx }} />
}
