import { useNavigate } from '@tanstack/react-router'
import { useEffect } from 'react'

/** Time between `g` and the letter; longer and they are two separate keys. */
const PAIR_MS_MAX = 1_200

/** `g` then a letter goes to a page. Keys typed into a field or with a modifier are left alone. */
export function useGoKeys(): void {
  const navigate = useNavigate()
  useEffect(() => {
    let beganAt = Number.NEGATIVE_INFINITY
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event.target)) return
      if (event.key === 'g') {
        beganAt = event.timeStamp
      } else if (event.key === 't' && event.timeStamp - beganAt < PAIR_MS_MAX) {
        beganAt = Number.NEGATIVE_INFINITY
        void navigate({ to: '/', search: {} })
      } else {
        beganAt = Number.NEGATIVE_INFINITY
      }
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [navigate])
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('input, textarea, select, [contenteditable]') !== null
}
