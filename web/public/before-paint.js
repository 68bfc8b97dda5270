// The same keys and meanings as ui/preferences.ts, which takes over as soon as the console runs.
try {
  const theme = localStorage.getItem('perennial.theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
  const chosen = localStorage.getItem('perennial.language')
  const isChinese = chosen ? chosen !== 'en' : navigator.languages.some((one) => /^zh\b/i.test(one))
  if (!isChinese) document.documentElement.lang = 'en'
} catch {
  // A browser that forbids storage still gets the default theme and language.
}
