import { Link, useNavigate } from '@tanstack/react-router'
import { Button } from 'antd'
import { type FormEvent, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { BrandInfo, Span } from '../../api/queries.ts'
import { withoutOpened } from '../../paths.ts'
import { instantOf, wallClock } from '../../ui/wall-clock.ts'
import { PRESETS, presetOf, spanOf } from './span.ts'

/** Whom the page compares when: a click for the usual spans, two times of the brand's clock for any other. */
export function SpanPicker({ span, brand }: { span: Span; brand: BrandInfo }) {
  const { t } = useTranslation()
  const chosen = presetOf(span, brand.now, brand.zone)
  return (
    <div className="span-picker">
      <ul className="presets" aria-label={t('span.presets')}>
        {PRESETS.map((preset) => (
          <li key={preset}>
            <Link
              to="."
              search={(now: Record<string, unknown>) => ({
                ...withoutOpened(now),
                ...spanOf(preset, brand.now, brand.zone),
              })}
              aria-current={preset === chosen ? 'true' : undefined}
              activeProps={{}}
              resetScroll={false}
            >
              {t(`span.${preset}`)}
            </Link>
          </li>
        ))}
      </ul>
      {/* Another span is another form: what was being typed belongs to the one before. */}
      <FreeSpan key={`${span.from} ${span.to}`} span={span} brand={brand} />
    </div>
  )
}

function FreeSpan({ span, brand }: { span: Span; brand: BrandInfo }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const problemId = useId()
  const shown = { from: wallClock(span.from, brand.zone), to: wallClock(span.to, brand.zone) }
  const [typed, setTyped] = useState(shown)
  const problem = problemOf(typed, brand)

  const submit = (event: FormEvent) => {
    event.preventDefault()
    // A field shows minutes: what was not touched keeps its seconds.
    const read = (end: 'from' | 'to') =>
      typed[end] === shown[end] ? span[end] : (instantOf(typed[end], brand.zone) ?? span[end])
    const chosen = { from: read('from'), to: read('to') }
    if (problem) return
    void navigate({
      to: '.',
      search: (now: Record<string, unknown>) => ({ ...withoutOpened(now), ...chosen }),
      resetScroll: false,
    })
  }
  const isTouched = typed.from !== shown.from || typed.to !== shown.to
  return (
    <form className="free-span" onSubmit={submit}>
      {(['from', 'to'] as const).map((end) => (
        <label key={end}>
          <span>{t(`span.${end}`)}</span>
          <input
            type="datetime-local"
            value={typed[end]}
            aria-invalid={problem !== undefined}
            aria-describedby={problem ? problemId : undefined}
            onChange={(event) => setTyped({ ...typed, [end]: event.target.value })}
          />
        </label>
      ))}
      {isTouched && (
        <Button htmlType="submit" disabled={problem !== undefined}>
          {t('span.show')}
        </Button>
      )}
      {problem && (
        <p id={problemId} className="form-problem" role="alert">
          {t(`span.${problem}`)}
        </p>
      )}
    </form>
  )
}

function problemOf(typed: Span, { zone, now }: BrandInfo): 'missing' | 'ends_first' | 'future' | undefined {
  const [from, to] = [instantOf(typed.from, zone), instantOf(typed.to, zone)]
  if (from === undefined || to === undefined) return 'missing'
  if (from > to) return 'ends_first'
  return Date.parse(to) > Date.parse(now) ? 'future' : undefined
}
