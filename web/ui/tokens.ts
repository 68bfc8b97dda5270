/**
 * The one home of colour, type and space. From here come the CSS variables (written into index.html at build
 * time, so the first paint has them) and the antd theme.
 *
 * Colour carries meaning only: evergreen = what can be opened or done, the depth ramp = relationship depth,
 * amber = value (money kept), red = harm. Every pair below that carries text has a contrast of at least 4.5:1.
 */
export interface Palette {
  ground: string
  surface: string
  sunken: string
  line: string
  lineStrong: string
  ink: string
  inkSoft: string
  inkFaint: string
  accent: string
  accentHover: string
  accentSoft: string
  onAccent: string
  value: string
  valueSoft: string
  harm: string
  harmSoft: string
  /** Laid over the page while something is open beside it: the page stays readable. */
  veil: string
  /** Index = depth; 0 is grey because nobody without a connection is on the ramp. */
  depth: readonly [string, string, string, string, string, string]
  /** Text on the depth of the same index. */
  onDepth: readonly [string, string, string, string, string, string]
}

export const light: Palette = {
  ground: '#f4f2ed',
  surface: '#fcfbf9',
  sunken: '#edeae4',
  line: '#e0dcd4',
  lineStrong: '#c4beb3',
  ink: '#24221f',
  inkSoft: '#5b5750',
  inkFaint: '#6b665e',
  accent: '#1f5c45',
  accentHover: '#164634',
  accentSoft: '#e3ede6',
  onAccent: '#ffffff',
  value: '#7d5200',
  valueSoft: '#f6ead2',
  harm: '#a82a20',
  harmSoft: '#f8e6e2',
  veil: 'rgb(36 34 31 / 0.22)',
  depth: ['#d3cec5', '#b9d9c5', '#8fc2a5', '#5fa681', '#347a59', '#164c37'],
  onDepth: ['#24221f', '#16301f', '#10291c', '#061a10', '#ffffff', '#ffffff'],
}

export const dark: Palette = {
  ground: '#1a1917',
  surface: '#22211e',
  sunken: '#161513',
  line: '#35332e',
  lineStrong: '#57534b',
  ink: '#ece9e2',
  inkSoft: '#b8b3a9',
  inkFaint: '#a09a8f',
  accent: '#7cc4a0',
  accentHover: '#9ad8b8',
  accentSoft: '#24382e',
  onAccent: '#10231a',
  value: '#e2b45c',
  valueSoft: '#3a2f19',
  harm: '#f0938a',
  harmSoft: '#3f2421',
  veil: 'rgb(0 0 0 / 0.45)',
  depth: ['#4b4842', '#274536', '#32644c', '#468966', '#6cb58d', '#a9e2c2'],
  onDepth: ['#ece9e2', '#e0efe6', '#eef8f2', '#06140d', '#0b1f14', '#0b1f14'],
}

/** The scale, px: nothing in between. */
export const size = { small: 12, base: 14, large: 16, title: 20, display: 28 } as const

export const lineHeight = 1.57

const chineseFaces = '"PingFang SC","Noto Sans SC","Noto Sans CJK SC","Microsoft YaHei"'
const latinFaces = 'system-ui,-apple-system,"Segoe UI"'

/**
 * The faces of a text's own language first: a Latin one in front would take the digits and punctuation of Chinese text, and a
 * Chinese one gives the quotation marks and apostrophes of English text a whole character's room.
 */
export const fontFamilies = {
  'zh-CN': `${chineseFaces},${latinFaces},sans-serif`,
  en: `${latinFaces},${chineseFaces},sans-serif`,
} as const

export const monoFamily = 'ui-monospace,"SF Mono","Cascadia Mono",Menlo,Consolas,monospace'

function variables(palette: Palette): string {
  return Object.entries(palette)
    .flatMap(([name, value]: [string, string | readonly string[]]) =>
      typeof value === 'string'
        ? [`--${kebab(name)}:${value}`]
        : value.map((colour, index) => `--${kebab(name)}-${index}:${colour}`),
    )
    .join(';')
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** CSS for both themes: the system's choice holds until `data-theme` on the root element says otherwise. */
export function tokensCss(): string {
  const sizes = Object.entries(size).map(([name, px]) => `--text-${name}:${px}px`)
  const shared = [...sizes, `--font:${fontFamilies['zh-CN']}`, `--mono:${monoFamily}`].join(';')
  const darkRules = `color-scheme:dark;${variables(dark)}`
  return [
    `:root{${shared};color-scheme:light;${variables(light)}}`,
    `:root:lang(en){--font:${fontFamilies.en}}`,
    `@media (prefers-color-scheme:dark){:root:not([data-theme=light]){${darkRules}}}`,
    `:root[data-theme=dark]{${darkRules}}`,
    // Paper is white whatever the screen is; as specific as the rules above, so that standing last it wins.
    `@media print{:root,:root:not([data-theme=light]),:root[data-theme=dark]{color-scheme:light;${variables(light)};--ground:#fff;--surface:#fff}}`,
    'html{background:var(--ground);color:var(--ink)}',
  ].join('\n')
}
