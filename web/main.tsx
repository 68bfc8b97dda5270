import './ui/base.css'
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { App, ConfigProvider } from 'antd'
import enUS from 'antd/es/locale/en_US'
import zhCN from 'antd/es/locale/zh_CN'
import { StrictMode, useMemo } from 'react'
import { createRoot } from 'react-dom/client'
import { startI18n } from './i18n/i18n.ts'
import { queryClient } from './query-client.ts'
import { router } from './routes.tsx'
import { antdTheme } from './ui/antd-theme.ts'
import { currentLanguage, useIsDark, useLanguage } from './ui/preferences.ts'

const stillness = window.matchMedia('(prefers-reduced-motion: reduce)')

function Console() {
  const isDark = useIsDark()
  const language = useLanguage()
  const theme = useMemo(() => antdTheme(isDark, stillness.matches), [isDark])
  return (
    <ConfigProvider theme={theme} locale={language === 'en' ? enUS : zhCN} button={{ autoInsertSpace: false }}>
      {/* Toasts take theme and language from here. */}
      <App component={false} message={{ maxCount: 3 }}>
        <QueryClientProvider client={queryClient}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </App>
    </ConfigProvider>
  )
}

startI18n(currentLanguage())
document.documentElement.lang = currentLanguage()

const root = document.getElementById('root')
if (!root) throw new Error('index.html has lost its #root.')
createRoot(root).render(
  <StrictMode>
    <Console />
  </StrictMode>,
)
