import { Button } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { ListedSegment } from '../../api/segment-queries.ts'
import { CloseIcon } from '../../ui/icons.tsx'
import { ClauseForm } from './ClauseForm.tsx'
import { CLAUSE_KINDS } from './clause-kinds.ts'
import {
  clauseOf,
  type Definition,
  type Finding,
  GROUPS,
  groupOf,
  isDefinition,
  nodeAt,
  type Place,
  placeText,
  rowOf,
  type View,
  withAdded,
  withNode,
  withoutNode,
} from './definition.ts'
import { useFindingText } from './findings.ts'
import { Labelled } from './inputs.tsx'
import type { Words } from './words.ts'

/** What all rows of the editor share. */
export interface Editing {
  readonly definition: Definition
  readonly whole: View
  readonly words: Words
  /** Segments that a definition may refer to. */
  readonly segments: readonly ListedSegment[]
  readonly findings: readonly Finding[]
  /** The row whose form is open. */
  readonly opened: string | undefined
  readonly onOpen: (row: string | undefined) => void
  readonly onChange: (definition: Definition) => void
}

type GroupView = Extract<View, { row: 'group' }>
type ClauseView = Extract<View, { row: 'clause' }>

/** A group of conditions with the word that joins them; groups may stand in it. */
export function GroupEditor({ view, editing }: { view: GroupView; editing: Editing }) {
  const { t } = useTranslation()
  const { definition, onChange } = editing
  const isRoot = view.place.length === 0
  const joiner = view.word === 'all' || view.word === 'not_all' ? t('builder.and') : t('builder.or')
  // The nodes themselves, a `not` before them included.
  const children = view.of.map(({ place }) => nodeAt(definition, place))
  return (
    <fieldset className={isRoot ? 'group group-root' : 'group'}>
      <legend className="visually-hidden">{t(`builder.${view.word}`)}</legend>
      <div className="group-head">
        <label>
          <span className="visually-hidden">{t('builder.group')}</span>
          <select
            value={view.word}
            onChange={(event) => {
              const word = GROUPS.find((known) => known === event.target.value) ?? 'all'
              onChange(withNode(definition, view.place, groupOf(word, children)))
            }}
          >
            {GROUPS.map((word) => (
              <option key={word} value={word}>
                {t(`builder.${word}`)}
              </option>
            ))}
          </select>
        </label>
        {!isRoot && (
          <Button
            type="text"
            size="small"
            icon={<CloseIcon />}
            aria-label={t('builder.remove_group')}
            onClick={() => onChange(withoutNode(definition, view.place))}
          />
        )}
      </div>
      <RowFindings place={view.place} editing={editing} />
      {isRoot && view.of.length === 0 && <p className="soft">{t('builder.empty')}</p>}
      <ol className="group-rows">
        {view.of.map((one, index) => (
          <li key={placeText(one.place)}>
            {index > 0 && (
              <span className="joiner" aria-hidden="true">
                {joiner}
              </span>
            )}
            <Row view={one} editing={editing} />
          </li>
        ))}
      </ol>
      <AddRow place={view.place} rows={view.of.length} editing={editing} />
    </fieldset>
  )
}

function Row({ view, editing }: { view: View; editing: Editing }) {
  if (view.row === 'group') return <GroupEditor view={view} editing={editing} />
  if (view.row === 'clause') return <ClauseRow view={view} editing={editing} />
  return <RawRow text={JSON.stringify(view.value)} place={view.place} editing={editing} />
}

function RawRow({ text, place, editing }: { text: string; place: Place; editing: Editing }) {
  const { t } = useTranslation()
  return (
    <>
      <div className="clause">
        <code className="clause-raw">{text}</code>
        <span className="faint">{t('builder.raw')}</span>
        <RemoveButton what={text} place={place} editing={editing} />
      </div>
      <RowFindings place={place} editing={editing} />
    </>
  )
}

function ClauseRow({ view, editing }: { view: ClauseView; editing: Editing }) {
  const { t } = useTranslation()
  const { definition, words, segments, opened, onOpen, onChange } = editing
  const kind = Object.hasOwn(CLAUSE_KINDS, view.kind) ? CLAUSE_KINDS[view.kind] : undefined
  if (!kind && view.kind !== 'segment') {
    return <RawRow text={words.clause(view.kind, view.content)} place={view.place} editing={editing} />
  }
  const id = placeText(view.place)
  const isOpen = opened === id
  const said = words.clause(view.kind, view.content)
  const set = (content: unknown, isNot = view.isNot) =>
    onChange(withNode(definition, view.place, clauseOf(view.kind, content, isNot)))
  const hasFinding = editing.findings.some((finding) => placeText(rowOf(editing.whole, finding)) === id)
  return (
    <>
      <div className={['clause', ...(isOpen ? ['clause-open'] : []), ...(hasFinding ? ['clause-bad'] : [])].join(' ')}>
        <button
          type="button"
          className="clause-said"
          aria-expanded={isOpen}
          onClick={() => onOpen(isOpen ? undefined : id)}
        >
          {view.isNot && <span className="clause-not">{t('builder.not_word')}</span>}
          <span>{said}</span>
        </button>
        <label className={view.isNot ? 'chip chip-chosen' : 'chip'}>
          <input type="checkbox" checked={view.isNot} onChange={(event) => set(view.content, event.target.checked)} />
          {t('builder.not')}
        </label>
        <RemoveButton what={said} place={view.place} editing={editing} />
      </div>
      {!isOpen && <RowFindings place={view.place} editing={editing} />}
      {isOpen && (
        <fieldset className={hasFinding ? 'clause-panel clause-bad' : 'clause-panel'}>
          <legend className="visually-hidden">{kind ? t(kind.label) : t('clause.segment')}</legend>
          <RowFindings place={view.place} editing={editing} />
          {kind ? (
            <ClauseForm kind={kind} clause={isDefinition(view.content) ? view.content : {}} onChange={set} />
          ) : (
            <SegmentInput value={Number(view.content)} segments={segments} onChange={set} />
          )}
          <Button size="small" onClick={() => onOpen(undefined)}>
            {t('builder.done')}
          </Button>
        </fieldset>
      )}
    </>
  )
}

interface SegmentInputProps {
  value: number
  segments: readonly ListedSegment[]
  onChange: (segmentId: number) => void
}

function SegmentInput({ value, segments, onChange }: SegmentInputProps) {
  const { t } = useTranslation()
  const isKnown = segments.some((segment) => segment.segment_id === value)
  return (
    <div className="clause-form">
      <Labelled label={t('asks.segment')}>
        {(id) => (
          <select id={id} value={value} onChange={(event) => onChange(Number(event.target.value))}>
            {!isKnown && <option value={value}>{value}</option>}
            {segments.map((segment) => (
              <option key={segment.segment_id} value={segment.segment_id}>
                {segment.name}
              </option>
            ))}
          </select>
        )}
      </Labelled>
    </div>
  )
}

function RemoveButton({ what, place, editing }: { what: string; place: Place; editing: Editing }) {
  const { t } = useTranslation()
  return (
    <Button
      type="text"
      size="small"
      icon={<CloseIcon />}
      aria-label={t('builder.remove', { what })}
      onClick={() => {
        editing.onOpen(undefined)
        editing.onChange(withoutNode(editing.definition, place))
      }}
    />
  )
}

function RowFindings({ place, editing }: { place: Place; editing: Editing }) {
  const textOf = useFindingText()
  const id = placeText(place)
  const found = editing.findings.filter((finding) => placeText(rowOf(editing.whole, finding)) === id)
  if (found.length === 0) return null
  return (
    <p className="clause-finding" role="alert">
      {[...new Set(found.map((finding) => textOf(finding)))].join(' ')}
    </p>
  )
}

/** What may be added: a condition of each kind, or a group. An empty group shows them at once. */
function AddRow({ place, rows, editing }: { place: Place; rows: number; editing: Editing }) {
  const { t } = useTranslation()
  const { definition, segments, onChange, onOpen } = editing
  const [isAdding, setAdding] = useState(false)
  const add = (node: Definition, hasForm: boolean) => {
    const changed = withAdded(definition, place, node)
    setAdding(false)
    onChange(changed)
    // It stands last in the list of its group, wherever that stands in the node.
    const group = nodeAt(changed, place)
    const within = isDefinition(group) && 'not' in group ? ['not', ...wordIn(group.not)] : wordIn(group)
    onOpen(hasForm ? placeText([...place, ...within, rows]) : undefined)
  }
  if (!isAdding && rows > 0) {
    return (
      <Button size="small" className="add-row" onClick={() => setAdding(true)}>
        + {t('builder.add')}
      </Button>
    )
  }
  const [first] = segments
  return (
    <fieldset className="add-choices">
      <legend className="visually-hidden">{t('builder.add')}</legend>
      {Object.entries(CLAUSE_KINDS).map(([word, kind]) => (
        <Button key={word} size="small" onClick={() => add({ [word]: kind.initial }, true)}>
          {t(kind.label)}
        </Button>
      ))}
      {first && (
        <Button size="small" onClick={() => add({ segment: first.segment_id }, true)}>
          {t('clause.segment')}
        </Button>
      )}
      <Button size="small" type="dashed" onClick={() => add({ any: [] }, false)}>
        {t('builder.add_group')}
      </Button>
    </fieldset>
  )
}

function wordIn(group: unknown): string[] {
  return isDefinition(group) ? Object.keys(group).slice(0, 1) : []
}
