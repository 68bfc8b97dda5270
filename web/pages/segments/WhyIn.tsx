import { type UseQueryResult, useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { type Explanation, type Segment, whyHoldsQuery, whyQuery } from '../../api/segment-queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { useProblemWords } from '../../ui/ProblemPanel.tsx'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import type { Definition } from './definition.ts'
import type { Words } from './words.ts'

interface WhyInProps {
  segment: Segment
  personId: number
  words: Words
}

/** Why a person is in a segment or is not: each condition with what is so of the person, and until when it holds. */
export function WhyIn({ segment, personId, words }: WhyInProps) {
  const { t } = useTranslation()
  const query = useQuery(whyQuery(segment.segment_id, personId))
  const holds = query.data?.holds !== false
  return (
    <Why
      query={query}
      title={t(holds ? 'why.title' : 'why.title_out')}
      said={t(holds ? 'why.in' : 'why.out', { name: segment.name })}
      words={words}
    />
  )
}

interface WhyHoldsProps {
  definition: Definition
  personId: number
  words: Words
}

/** The same of conditions that are no segment yet. */
export function WhyHolds({ definition, personId, words }: WhyHoldsProps) {
  const { t } = useTranslation()
  const query = useQuery(whyHoldsQuery(definition, personId))
  const holds = query.data?.holds !== false
  return (
    <Why
      query={query}
      title={t(holds ? 'why.title_written' : 'why.title_written_out')}
      said={t(holds ? 'why.written' : 'why.written_out')}
      words={words}
    />
  )
}

interface WhyProps {
  query: UseQueryResult<Explanation>
  title: string
  said: string
  words: Words
}

function Why({ query: { data, error }, title, said, words }: WhyProps) {
  const { t } = useTranslation()
  return (
    <section className="why" aria-labelledby="why-title" aria-live="polite">
      <h3 id="why-title">{title}</h3>
      {data ? (
        <Explained explanation={data} said={said} words={words} />
      ) : error ? (
        <WhyProblem error={error} />
      ) : (
        <div role="status" aria-label={t('list.loading')}>
          <SkeletonRows lines={[58, 66, 50]} />
        </div>
      )}
    </section>
  )
}

function WhyProblem({ error }: { error: unknown }) {
  const { t } = useTranslation()
  const { message, remedy } = useProblemWords(error)
  return (
    <p className="form-problem">
      {t('why.problem')} {message} {remedy}
    </p>
  )
}

function Explained({ explanation, said, words }: { explanation: Explanation; said: string; words: Words }) {
  const { t } = useTranslation()
  const { when } = useBrandFormat()
  const { holds, flips_at: flipsAt, nodes } = explanation
  // By where they stand: a segment that is referred to has the places of its own definition, so a place may come twice.
  const rows = nodes.map((node, row) => ({ node, row }))
  return (
    <>
      <p>
        <Verdict holds={holds} /> {said}
      </p>
      <p className="soft">
        {flipsAt === null ? t('why.flips_never') : t(holds ? 'why.flips_out' : 'why.flips_in', { at: when(flipsAt) })}
      </p>
      <ol className="why-nodes">
        {rows.map(({ node, row }) => (
          <li key={row} style={{ paddingInlineStart: `${node.nesting * 20}px` }}>
            <Verdict holds={node.holds} />
            <div>
              <NodeWords node={node} words={words} />
            </div>
          </li>
        ))}
      </ol>
    </>
  )
}

/** By its shape as well as by its colour. */
function Verdict({ holds }: { holds: boolean }) {
  const { t } = useTranslation()
  return (
    <span className={holds ? 'verdict verdict-holds' : 'verdict'}>
      <span aria-hidden="true">{holds ? '✓' : '✕'}</span>
      <span className="visually-hidden">{t(holds ? 'why.holds' : 'why.fails')}</span>
    </span>
  )
}

interface NodeWordsProps {
  node: Explanation['nodes'][number]
  words: Words
}

function NodeWords({ node, words }: NodeWordsProps) {
  const { t } = useTranslation()
  if (node.kind === 'all' || node.kind === 'any' || node.kind === 'not') return <p>{t(`why.group_${node.kind}`)}</p>
  if (node.kind === 'segment') return <p>{words.clause('segment', node.wanted)}</p>
  return (
    <>
      <p>{words.clause(node.kind, node.wanted)}</p>
      <p className="soft">
        {node.observed && t('why.observed', { what: words.observed(node.kind, node.observed) })}
        {node.fact?.kind && (
          <>
            {t('sentence.comma')}
            {t('why.fact', { kind: factName(t, node.fact.kind), id: '' })}{' '}
            <span className="id faint">{node.fact.external_id}</span>
          </>
        )}
      </p>
    </>
  )
}

const FACTS = ['order', 'connection', 'membership', 'person', 'interaction', 'review'] as const

function factName(t: (key: `person.fact_${(typeof FACTS)[number]}`) => string, kind: string): string {
  const known = FACTS.find((name) => name === kind)
  return known ? t(`person.fact_${known}`) : kind
}
