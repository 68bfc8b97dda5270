import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { BrandMark } from '../../ui/icons.tsx'
import { LanguageSwitch, ThemeSwitch } from '../shell/Switches.tsx'

/** A page for somebody who is not in yet. */
export function Alone({ title, children }: { title: string; children: ReactNode }) {
  const { t } = useTranslation()
  return (
    <main className="alone">
      <div className="alone-box">
        <p className="rail-brand">
          <BrandMark />
          <span>{t('app.name')}</span>
        </p>
        <h1>{title}</h1>
        {children}
        <div className="sign-in-foot">
          <LanguageSwitch />
          <ThemeSwitch />
        </div>
      </div>
    </main>
  )
}
