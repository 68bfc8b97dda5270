import { useSyncExternalStore } from 'react'
import type { Language } from './format.ts'

/**
 * What one person prefers on one device: theme and language. Kept in the browser because it is no business of the
 * brand's data; everything else that is state stands in the URL. `public/before-paint.js` reads the same keys.
 */

export type Theme = 'system' | 'light' | 'dark'

const THEME_KEY = 'perennial.theme'
const LANGUAGE_KEY = 'perennial.language'

const listeners = new Set<() => void>()
const darkSystem = window.matchMedia('(prefers-color-scheme: dark)')

function read(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value)
  } catch {
    // Storage forbidden: the choice holds until the tab is closed.
  }
}

const storedTheme = read(THEME_KEY)
let theme: Theme = storedTheme === 'light' || storedTheme === 'dark' ? storedTheme : 'system'
let language: Language = chosenLanguage() ?? spokenLanguage()

function chosenLanguage(): Language | undefined {
  const chosen = read(LANGUAGE_KEY)
  return chosen === 'en' || chosen === 'zh-CN' ? chosen : undefined
}

/** Chinese for everybody whose browser knows it, wherever it stands among the languages. */
function spokenLanguage(): Language {
  return navigator.languages.some((one) => /^zh\b/i.test(one)) ? 'zh-CN' : 'en'
}

function changed(): void {
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  darkSystem.addEventListener('change', listener)
  return () => {
    listeners.delete(listener)
    darkSystem.removeEventListener('change', listener)
  }
}

export function currentLanguage(): Language {
  return language
}

export function chooseTheme(next: Theme): void {
  theme = next
  write(THEME_KEY, next)
  if (next === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = next
  changed()
}

export function chooseLanguage(next: Language): void {
  language = next
  write(LANGUAGE_KEY, next)
  document.documentElement.lang = next
  changed()
}

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, () => theme)
}

/** The theme on the screen, the system's wish resolved. */
export function useIsDark(): boolean {
  return useSyncExternalStore(subscribe, () => (theme === 'system' ? darkSystem.matches : theme === 'dark'))
}

export function useLanguage(): Language {
  return useSyncExternalStore(subscribe, () => language)
}
