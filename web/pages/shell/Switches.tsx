import { useTranslation } from 'react-i18next'
import type { Language } from '../../ui/format.ts'
import { chooseLanguage, chooseTheme, type Theme, useLanguage, useTheme } from '../../ui/preferences.ts'

interface Choice<Value> {
  value: Value
  label: string
}

interface ChoicesProps<Value> {
  legend: string
  name: string
  choices: readonly Choice<Value>[]
  chosen: Value
  onChoose: (value: Value) => void
}

/** Radio buttons drawn as one strip: arrow keys and screen readers work as everywhere. */
function Choices<Value extends string>({ legend, name, choices, chosen, onChoose }: ChoicesProps<Value>) {
  return (
    <fieldset className="choices">
      <legend className="visually-hidden">{legend}</legend>
      {choices.map(({ value, label }) => (
        <label key={value}>
          <input type="radio" name={name} checked={value === chosen} onChange={() => onChoose(value)} />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  )
}

/** Each language by its own name: who cannot read this one finds theirs. */
const LANGUAGES: readonly Choice<Language>[] = [
  { value: 'zh-CN', label: '中文' },
  { value: 'en', label: 'English' },
]

export function LanguageSwitch() {
  const { t, i18n } = useTranslation()
  const language = useLanguage()
  const choose = (next: Language) => {
    chooseLanguage(next)
    void i18n.changeLanguage(next)
  }
  return <Choices legend={t('foot.language')} name="language" choices={LANGUAGES} chosen={language} onChoose={choose} />
}

export function ThemeSwitch() {
  const { t } = useTranslation()
  const theme = useTheme()
  const themes: Choice<Theme>[] = [
    { value: 'system', label: t('theme.system') },
    { value: 'light', label: t('theme.light') },
    { value: 'dark', label: t('theme.dark') },
  ]
  return <Choices legend={t('foot.theme')} name="theme" choices={themes} chosen={theme} onChoose={chooseTheme} />
}
