import i18next from 'i18next'
import { initReactI18next } from 'react-i18next'

import { en } from './en'
import { zh } from './zh'

export const LANGUAGES = { en: 'English', zh: '中文' } as const
export type Language = keyof typeof LANGUAGES

const KEPT = 'filmless.language'

/** What this browser used last, else what it prefers. */
function first(): Language {
  const kept = localStorage.getItem(KEPT)
  if (kept === 'en' || kept === 'zh') return kept
  return navigator.languages.some((one) => one.toLowerCase().startsWith('zh')) ? 'zh' : 'en'
}

export function language(): Language {
  return i18next.language === 'zh' ? 'zh' : 'en'
}

export async function setLanguage(wanted: Language): Promise<void> {
  localStorage.setItem(KEPT, wanted)
  await i18next.changeLanguage(wanted)
}

function declare(): void {
  document.documentElement.lang = i18next.language === 'zh' ? 'zh-CN' : 'en'
}

i18next.on('languageChanged', declare)

void i18next.use(initReactI18next).init({
  resources: { en: { translation: en }, zh: { translation: zh } },
  lng: first(),
  fallbackLng: false,
  interpolation: { escapeValue: false }, // React escapes
  returnNull: false,
})
declare()

export { i18next }
