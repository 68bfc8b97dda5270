import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Button } from 'antd'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { isProblem } from '../../api/errors.ts'
import { countQuery } from '../../api/segment-queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { useProblemWords } from '../../ui/ProblemPanel.tsx'
import { useSees } from '../../ui/session.ts'
import type { Definition } from './definition.ts'
import { HOLDING } from './Holding.tsx'

/** Somebody who is still typing is not counted for. */
const TYPING_MS = 250

/** A value once it has stood for a while. */
function useSettled<Value>(value: Value, key: string): Value {
  const [settled, setSettled] = useState({ key, value })
  useEffect(() => {
    if (settled.key === key) return
    const timer = setTimeout(() => setSettled({ key, value }), TYPING_MS)
    return () => clearTimeout(timer)
  }, [key, value, settled.key])
  return settled.value
}

export function useLiveCount(definition: Definition, isEmpty: boolean) {
  const key = JSON.stringify(definition)
  const settled = useSettled(definition, key)
  const settledKey = JSON.stringify(settled)
  const [exactKey, setExactKey] = useState<string>()
  const sample = useQuery({ ...countQuery(settled, 'sample'), enabled: !isEmpty })
  const exact = useQuery({ ...countQuery(settled, 'exact'), enabled: !isEmpty && exactKey === settledKey })
  const isExactAsked = exactKey === settledKey
  const isExact = isExactAsked && exact.data !== undefined && !exact.isPlaceholderData
  return {
    /** Of what the answer is, while somebody types of what stood there a moment ago. */
    definition: settled,
    method: isExact ? ('exact' as const) : ('sample' as const),
    answer: isExact ? exact.data : sample.data,
    error: sample.error ?? (isExactAsked ? exact.error : null),
    isCounting: settledKey !== key || sample.isFetching || (isExactAsked && exact.isFetching),
    isExactFetching: isExactAsked && exact.isFetching,
    /** Whether the answer is of what stands there now. */
    isCurrent: settledKey === key && !sample.isPlaceholderData && !sample.error,
    countExactly: () => setExactKey(settledKey),
    retry: () => void sample.refetch(),
  }
}

export type LiveCounted = ReturnType<typeof useLiveCount>

interface LiveCountProps {
  counted: LiveCounted
  isEmpty: boolean
}

/** How many people meet what stands there, while it is being written. */
export function LiveCount({ counted, isEmpty }: LiveCountProps) {
  const { t } = useTranslation()
  const { count, share } = useBrandFormat()
  const sees = useSees()
  const { answer, error, isCounting, isCurrent } = counted
  const isBad = isProblem(error) && error.code === 'bad_definition'
  return (
    <section className="live-count" aria-labelledby="count-title" aria-busy={isCounting}>
      <h2 id="count-title">{t('count.title')}</h2>
      <div role="status">
        {isEmpty ? (
          <p className="soft">{t('count.none')}</p>
        ) : isBad ? (
          <p className="soft">{t('count.refused')}</p>
        ) : error ? (
          <CountProblem error={error} onRetry={counted.retry} />
        ) : !answer ? (
          <p className="soft">{t('count.counting')}</p>
        ) : (
          <div className={isCurrent ? undefined : 'stale'}>
            <p className="live-count-people">
              <Link to="." search={true} state={true} hash={HOLDING} className="figure" resetScroll={false}>
                {t(answer.low === answer.high ? 'count.people' : 'count.about', {
                  people: count(answer.people),
                  count: answer.people,
                })}
              </Link>
            </p>
            <p className="soft">
              {t('count.of', { people: count(answer.of_people), share: share(answer.people, answer.of_people) })}
            </p>
            <p className="note">
              {answer.low === answer.high
                ? t('count.exact')
                : `${t('count.interval', { low: count(answer.low), high: count(answer.high) })}${t('sentence.comma')}${t('count.sampled', { sampled: count(answer.sampled) })}`}
              {sees?.people === 'own' && `${t('sentence.comma')}${t('count.own')}`}
            </p>
          </div>
        )}
      </div>
      {!isEmpty && !error && answer && answer.low !== answer.high && (
        <Button size="small" onClick={counted.countExactly} loading={counted.isExactFetching}>
          {t('count.exactly')}
        </Button>
      )}
    </section>
  )
}

function CountProblem({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const { t } = useTranslation()
  const { message, remedy } = useProblemWords(error)
  return (
    <>
      <p className="form-problem">
        {t('count.problem')} {message} {remedy}
      </p>
      <Button size="small" onClick={onRetry}>
        {t('problem.retry')}
      </Button>
    </>
  )
}
