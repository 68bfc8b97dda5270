import type { Language } from './format.ts'
import { dark, fontFamilies, light, type Palette, size } from './tokens.ts'

/** The palette of the theme on the screen: depth, value and ground have the same colours in charts as in the page. */
export function chartPalette(isDark: boolean): Palette {
  return isDark ? dark : light
}

/** ECharts dressed in our tokens. */
export function chartTheme(isDark: boolean, language: Language): object {
  const palette = chartPalette(isDark)
  const axis = {
    axisLine: { lineStyle: { color: palette.lineStrong } },
    axisTick: { show: false },
    axisLabel: { color: palette.inkSoft, fontSize: size.small },
    splitLine: { lineStyle: { color: palette.line } },
  }
  return {
    // Depth is the only scale that has colours of its own; a series that is none names its colour.
    color: [palette.accent, palette.inkFaint, palette.value],
    backgroundColor: 'transparent',
    textStyle: { color: palette.ink, fontFamily: fontFamilies[language], fontSize: size.small },
    categoryAxis: axis,
    valueAxis: axis,
    tooltip: {
      backgroundColor: palette.surface,
      borderColor: palette.lineStrong,
      textStyle: { color: palette.ink, fontSize: size.base },
    },
  }
}
