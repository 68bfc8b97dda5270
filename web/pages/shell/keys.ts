import { useNavigate } from '@tanstack/react-router'
import { useEffect } from 'react'
import { focusSearch } from '../../ui/search-focus.ts'

/** Time between `g` and the letter; longer and they are two separate keys. */
const PAIR_MS_MAX = 1_200

/** Where the letter after `g` leads. */
const PLACES = { t: '/', p: '/people', r: '/relationship', i: '/import', s: '/settings' } as const

/** `g` then a letter goes to a page, `/` to the search. Keys typed into a field or with a modifier are left alone. */
export function useGoKeys(): void {
  const navigate = useNavigate()
  useEffect(() => {
    let beganAt = Number.NEGATIVE_INFINITY
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event.target)) return
      const isSecond = event.timeStamp - beganAt < PAIR_MS_MAX
      beganAt = event.key === 'g' ? event.timeStamp : Number.NEGATIVE_INFINITY
      if (event.key === '/') {
        // Typed into the field it goes to, it would stand there.
        event.preventDefault()
        focusSearch(() => void navigate({ to: '/people', search: {} }))
      } else if (isSecond && isPlace(event.key)) {
        void navigate({ to: PLACES[event.key], search: {} })
      }
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [navigate])
}

function isPlace(key: string): key is keyof typeof PLACES {
  return Object.hasOwn(PLACES, key)
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('input, textarea, select, [contenteditable]') !== null
}
