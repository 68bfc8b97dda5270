import './tags.css'
import { useQuery } from '@tanstack/react-query'
import { Button } from 'antd'
import type { TFunction } from 'i18next'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type PersonTags as Answer, personTagsQuery, tagsQuery } from '../../api/queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { ProblemPanel } from '../../ui/ProblemPanel.tsx'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import { useMay } from '../../ui/session.ts'
import { When } from '../../ui/When.tsx'
import { useTagEdits } from './tag-edits.tsx'

type Held = Answer['tags'][number]
type TagRecord = Answer['history'][number]

/** The five at most that say most; nothing where there are none. */
export function MainTags({ personId, asOf }: { personId: number; asOf: string | undefined }) {
  const { t } = useTranslation()
  const { data } = useQuery(personTagsQuery(personId, asOf))
  const main = data?.tags.filter(({ is_main }) => is_main) ?? []
  if (main.length === 0) return null
  return (
    <ul className="tag-row" aria-label={t('tags.main')}>
      {main.map((held) => (
        <li key={held.tag_id} className="tag">
          {held.tag}
          {held.strength < 1 && <span className="soft"> {percentOf(held.strength)}</span>}
        </li>
      ))}
    </ul>
  )
}

/** Whole percent: what is left of a strength needs no more. */
function percentOf(strength: number): string {
  return `${Math.max(1, Math.round(strength * 100))}%`
}

/** Every tag of a person, since when and until when, who gave it; giving and taking by hand. */
export function PersonTags({ personId }: { personId: number }) {
  const { t } = useTranslation()
  const mayWrite = useMay('tags:write')
  const { data, error, isFetching, refetch } = useQuery(personTagsQuery(personId, undefined))
  return (
    <section aria-labelledby="person-tags-title">
      <h2 id="person-tags-title">{t('tags.title')}</h2>
      {data ? (
        <>
          <MainTags personId={personId} asOf={undefined} />
          {data.tags.length === 0 ? (
            <p className="soft">{t('tags.none')}</p>
          ) : (
            <HeldTable personId={personId} tags={data.tags} mayWrite={mayWrite} />
          )}
          {mayWrite && <Give personId={personId} tags={data.tags} />}
          {data.history.length > 0 && <History records={data.history} />}
        </>
      ) : error ? (
        <ProblemPanel
          title={t('problem.tags')}
          error={error}
          kept={t('problem.kept')}
          onRetry={() => void refetch()}
          retrying={isFetching}
        />
      ) : (
        <div role="status" aria-label={t('tags.loading')}>
          <SkeletonRows lines={[52, 46]} />
        </div>
      )}
    </section>
  )
}

function HeldTable({ personId, tags, mayWrite }: { personId: number; tags: readonly Held[]; mayWrite: boolean }) {
  const { t } = useTranslation()
  const edits = useTagEdits(personId)
  return (
    <table className="plain tags-table" aria-label={t('tags.all')}>
      <thead>
        <tr>
          <th scope="col">{t('tags.tag')}</th>
          <th scope="col">{t('tags.source')}</th>
          <th scope="col" className="number">
            {t('tags.strength')}
          </th>
          <th scope="col" className="number">
            {t('tags.lapses')}
          </th>
          {mayWrite && (
            <th scope="col">
              <span className="visually-hidden">{t('tags.take')}</span>
            </th>
          )}
        </tr>
      </thead>
      <tbody>
        {tags.map((held) => (
          <tr key={held.tag_id}>
            <td>
              {held.tag}
              {held.group !== null && <span className="faint"> {held.group}</span>}
              {held.is_archived && <span className="faint"> {t('tags.is_archived')}</span>}
            </td>
            <td className="soft">{sourceNames(t, held.sources)}</td>
            <td className="number">{percentOf(held.strength)}</td>
            <td className="number">
              {held.lapses_at === null ? (
                <span className="faint">{t('tags.lapses_never')}</span>
              ) : (
                <When at={held.lapses_at} />
              )}
            </td>
            {mayWrite && (
              <td className="number">
                {held.is_by_rule_alone ? (
                  <span className="faint">{t('tags.by_rule')}</span>
                ) : (
                  <Button
                    size="small"
                    type="text"
                    aria-label={t('tags.take_which', { tag: held.tag })}
                    disabled={edits.isPending}
                    onClick={() => edits.mutate({ verb: 'take', tagId: held.tag_id, tag: held.tag })}
                  >
                    {t('tags.take')}
                  </Button>
                )}
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function sourceNames(t: TFunction, sources: Held['sources']): string {
  return sources.map((source) => t(`tags.source_${source}`)).join(t('tags.source_join'))
}

const STRENGTHS = [100, 75, 50, 25] as const

function Give({ personId, tags }: { personId: number; tags: readonly Held[] }) {
  const { t } = useTranslation()
  const { data } = useQuery(tagsQuery)
  const edits = useTagEdits(personId)
  const [tagId, setTagId] = useState('')
  const [percent, setPercent] = useState('100')
  const byHand = new Set(tags.filter(({ sources }) => sources.includes('manual')).map(({ tag_id }) => tag_id))
  const open = data?.tags.filter(({ archived_at, tag_id }) => archived_at === null && !byHand.has(tag_id)) ?? []
  const chosen = open.find((tag) => String(tag.tag_id) === tagId)
  if (open.length === 0) return null
  return (
    <form
      className="tag-give"
      aria-label={t('tags.give')}
      onSubmit={(event) => {
        event.preventDefault()
        if (!chosen) return
        edits.mutate({ verb: 'give', tagId: chosen.tag_id, tag: chosen.name, strength: Number(percent) / 100 })
        setTagId('')
        setPercent('100')
      }}
    >
      <label className="choice">
        <span>{t('tags.give_which')}</span>
        <select value={chosen ? tagId : ''} onChange={(event) => setTagId(event.target.value)}>
          <option value="">–</option>
          {open.map((tag) => (
            <option key={tag.tag_id} value={tag.tag_id}>
              {tag.group === null ? tag.name : `${tag.group} · ${tag.name}`}
            </option>
          ))}
        </select>
      </label>
      <label className="choice tag-strength">
        <span>{t('tags.give_strength')}</span>
        <select value={percent} onChange={(event) => setPercent(event.target.value)}>
          {STRENGTHS.map((value) => (
            <option key={value} value={value}>{`${value}%`}</option>
          ))}
        </select>
      </label>
      <Button htmlType="submit" disabled={!chosen} loading={edits.isPending}>
        {t('tags.give_button')}
      </Button>
    </form>
  )
}

function History({ records }: { records: readonly TagRecord[] }) {
  const { t } = useTranslation()
  const { count, day } = useBrandFormat()
  return (
    <details className="tag-history">
      <summary>{t('tags.history', { records: count(records.length) })}</summary>
      <table className="plain" aria-label={t('tags.history', { records: count(records.length) })}>
        <thead>
          <tr>
            <th scope="col">{t('tags.tag')}</th>
            <th scope="col">{t('tags.history_given')}</th>
            <th scope="col">{t('tags.history_until')}</th>
          </tr>
        </thead>
        <tbody>
          {records.map((record) => (
            <tr key={record.assignment_id}>
              <td>{record.tag}</td>
              <td>
                {day(record.given_at)} <span className="faint">{givenBy(t, record)}</span>
              </td>
              <td>
                <Ended record={record} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  )
}

const CAUSES = ['fact', 'time', 'definition', 'cuts', 'value', 'settings', 'rule'] as const

/** Why a rule gave a tag or took it, in words: nothing where it is not known. */
function causeText(t: TFunction, cause: string | null): string {
  const known = CAUSES.find((one) => one === cause)
  return known
    ? `${t('sentence.comma')}${t(known === 'rule' ? 'tags.cause_rule' : `person_segments.cause_${known}`)}`
    : ''
}

function givenBy(t: TFunction, { given_by, source, origin, given_cause: cause }: TagRecord): string {
  if (given_by !== null) return t('tags.history_by', { by: given_by })
  if (source === 'rule') return `${t('tags.source_rule')}${causeText(t, cause)}`
  return origin === null ? t(`tags.source_${source}`) : `${t(`tags.source_${source}`)} ${origin}`
}

/** The first of the ends is the one that ended it. */
function Ended({ record }: { record: TagRecord }) {
  const { t } = useTranslation()
  const { day, asOf } = useBrandFormat()
  const taken =
    record.removed_by === null
      ? `${t('tags.history_taken_rule')}${causeText(t, record.removed_cause)}`
      : t('tags.history_taken', { by: record.removed_by })
  const ends = [
    { at: record.removed_at, why: taken },
    { at: record.ends_at, why: t('tags.history_ended') },
    { at: record.lapses_at, why: t('tags.history_lapsed') },
  ].flatMap(({ at, why }) => (at === null || Date.parse(at) > Date.parse(asOf) ? [] : [{ at, why }]))
  const [first] = ends.sort((one, other) => Date.parse(one.at) - Date.parse(other.at))
  if (!first) return <span>{t('tags.history_now')}</span>
  return (
    <>
      {day(first.at)} <span className="faint">{first.why}</span>
    </>
  )
}
