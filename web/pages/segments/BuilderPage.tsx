import '../people/people.css'
import '../people/person-page.css'
import './segments.css'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useLocation, useNavigate } from '@tanstack/react-router'
import { App, Button } from 'antd'
import { type ReactNode, useEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered, isProblem } from '../../api/errors.ts'
import { type ListedSegment, type Segment, segmentQuery, segmentsQuery } from '../../api/segment-queries.ts'
import { defined } from '../../paths.ts'
import { BackIcon } from '../../ui/icons.tsx'
import { ProblemPanel, useProblemWords } from '../../ui/ProblemPanel.tsx'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import { useMay } from '../../ui/session.ts'
import { WithBrand } from '../../ui/WithBrand.tsx'
import { PeopleDrawer } from '../people/PeopleDrawer.tsx'
import { DefinitionJson } from './DefinitionJson.tsx'
import { asGroup, clausesIn, type Definition, findingsIn, viewOf } from './definition.ts'
import { GroupEditor } from './GroupEditor.tsx'
import { Holding } from './Holding.tsx'
import { LiveCount, useLiveCount } from './LiveCount.tsx'
import { type BuilderSearch, isTooLong } from './search.ts'
import { WhyHolds } from './WhyIn.tsx'
import { useSegmentNames, useWords } from './words.ts'

const NOTHING: Definition = { all: [] }

export function NewSegment({ search }: { search: BuilderSearch }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const { data } = useQuery(segmentsQuery)
  return (
    <WithBrand title={t('builder.title_new')}>
      {() => (
        <article className="builder-page">
          <p className="back">
            <Link to="/people/segments">
              <BackIcon />
              {t('nav.tab_segments')}
            </Link>
          </p>
          <h1>{t('builder.title_new')}</h1>
          <Builder
            search={search}
            initial={NOTHING}
            segments={data?.segments ?? []}
            save={(name, definition) => answered(api.POST('/api/v1/segments', { body: { name, definition } }))}
            saveText={t('builder.save')}
            onSaved={({ segment_id }) =>
              void navigate({ to: '/people/segments/$segment_id', params: { segment_id }, search: {}, replace: true })
            }
            hasName
          />
        </article>
      )}
    </WithBrand>
  )
}

export function EditSegment({ segmentId, search }: { segmentId: number; search: BuilderSearch }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const { data: listed } = useQuery(segmentsQuery)
  const { data: segment, error, isFetching, refetch } = useQuery(segmentQuery(segmentId))
  const back = () =>
    void navigate({
      to: '/people/segments/$segment_id',
      params: { segment_id: segmentId },
      search: {},
      replace: true,
    })
  return (
    <WithBrand title={t('segment_page.loading')}>
      {() => (
        <article className="builder-page">
          <p className="back">
            <Link to="/people/segments/$segment_id" params={{ segment_id: segmentId }} search={{}}>
              <BackIcon />
              {t('builder.cancel')}
            </Link>
          </p>
          {segment ? (
            <>
              <h1>{t('builder.title_edit', { name: segment.name })}</h1>
              {segment.used_by.length > 0 && (
                <p className="soft">
                  {t('builder.changes_used', {
                    users: segment.used_by.length,
                    count: segment.used_by.length,
                    names: segment.used_by.map(({ user_name }) => user_name).join(t('sentence.list')),
                  })}
                </p>
              )}
              <Builder
                search={search}
                initial={segment.definition}
                // What would contain itself is refused; the plainest case is not even offered.
                segments={(listed?.segments ?? []).filter(({ segment_id }) => segment_id !== segmentId)}
                save={(_name, definition) =>
                  answered(
                    api.PATCH('/api/v1/segments/{segment_id}', {
                      params: { path: { segment_id: segmentId } },
                      body: { definition },
                    }),
                  )
                }
                saveText={t('builder.save_change')}
                onSaved={back}
              />
            </>
          ) : error ? (
            <ProblemPanel
              title={t('problem.segments')}
              error={error}
              kept={t('problem.kept')}
              onRetry={() => void refetch()}
              retrying={isFetching}
            />
          ) : (
            <div role="status" aria-label={t('app.loading')}>
              <SkeletonRows lines={[40, 52, 46]} />
            </div>
          )}
        </article>
      )}
    </WithBrand>
  )
}

interface BuilderProps {
  search: BuilderSearch
  /** What stands there while the address says nothing. */
  initial: Definition
  segments: readonly ListedSegment[]
  hasName?: boolean
  saveText: string
  save: (name: string, definition: Definition) => Promise<Segment>
  onSaved: (segment: Segment) => void
}

/** The address follows what is typed by so much. */
const ADDRESS_MS = 250

/**
 * What is being written, kept in the address as well: a link to it can be sent, and a reload loses nothing. What is too long for an
 * address is kept beside it in the tab's history, where a reload finds it and a link does not.
 */
function useWritten(search: BuilderSearch, initial: Definition) {
  const navigate = useNavigate()
  const draft = useLocation({ select: ({ state }) => state.draft })
  const given = search.definition ?? draft ?? initial
  const [written, setWritten] = useState({ definition: asGroup(given), name: search.name ?? '' })
  const inAddress = useRef(JSON.stringify(given))

  useEffect(() => {
    const said = JSON.stringify(given)
    // A link, or back: not what was written from here.
    if (said === inAddress.current) return
    inAddress.current = said
    setWritten({ definition: asGroup(given), name: search.name ?? '' })
  }, [given, search.name])

  const first = useRef(true)
  useEffect(() => {
    if (first.current) {
      first.current = false
      return
    }
    const timer = setTimeout(() => {
      const { definition, name } = written
      inAddress.current = JSON.stringify(definition)
      void navigate({
        to: '.',
        search: (now: Record<string, unknown>) => {
          const { name: _name, definition: _definition, ...rest } = now
          return { ...rest, ...(isTooLong(definition) ? {} : { definition }), ...(name === '' ? {} : { name }) }
        },
        ...(isTooLong(definition) ? { state: { draft: definition } } : {}),
        replace: true,
        resetScroll: false,
      })
    }, ADDRESS_MS)
    return () => clearTimeout(timer)
  }, [written, navigate])

  return { ...written, setWritten }
}

function Builder({ search, initial, segments, hasName = false, saveText, save, onSaved }: BuilderProps) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const navigate = useNavigate()
  const { message } = App.useApp()
  const mayWrite = useMay('segments:write')
  const { definition, name, setWritten } = useWritten(search, initial)
  const [opened, setOpened] = useState<string>()
  const [isNameMissing, setNameMissing] = useState(false)
  const words = useWords(useSegmentNames())
  const whole = useMemo(() => viewOf(definition), [definition])
  const isEmpty = clausesIn(whole) === 0
  const counted = useLiveCount(definition, isEmpty)
  const isCounted = !isEmpty && !counted.error && counted.answer !== undefined
  const saving = useMutation({
    mutationFn: () => save(name.trim(), definition),
    onSuccess: async (segment) => {
      void message.success(t('builder.saved'))
      await client.invalidateQueries()
      onSaved(segment)
    },
  })
  const change = (changed: Definition) => {
    saving.reset()
    setWritten((now) => ({ ...now, definition: asGroup(changed) }))
  }
  const refused = [saving.error, counted.error].find((error) => isProblem(error) && error.code === 'bad_definition')
  const findings = useMemo(() => (refused ? findingsIn(refused.message) : []), [refused])
  const setJson = (isShown: boolean) =>
    void navigate({
      to: '.',
      search: (now: Record<string, unknown>) => {
        const { json: _json, ...rest } = now
        return isShown ? { ...rest, json: true } : rest
      },
      state: true,
      replace: true,
      resetScroll: false,
    })
  const submit = () => {
    if (hasName && name.trim() === '') return setNameMissing(true)
    saving.mutate()
  }
  return (
    <>
      <form
        className="builder"
        onSubmit={(event) => {
          event.preventDefault()
          submit()
        }}
      >
        <div className="builder-main">
          <Sentence text={words.sentence(definition)} isEmpty={isEmpty} />
          <div className="chart-head">
            <h2>{t('builder.conditions')}</h2>
            <Button type="text" size="small" aria-pressed={search.json === true} onClick={() => setJson(!search.json)}>
              {t('builder.json')}
            </Button>
          </div>
          {whole.row === 'group' && (
            <GroupEditor
              view={whole}
              editing={{
                definition,
                whole,
                words,
                segments,
                findings,
                opened,
                onOpen: setOpened,
                onChange: change,
              }}
            />
          )}
          {search.json && <DefinitionJson definition={definition} onChange={change} />}
          {isTooLong(definition) && <p className="note">{t('builder.too_long')}</p>}
        </div>
        <aside className="builder-aside" aria-label={t('count.title')}>
          <LiveCount counted={counted} isEmpty={isEmpty} />
          {mayWrite ? (
            <div className="builder-save">
              {hasName && (
                <label className="builder-field">
                  <span>{t('builder.name')}</span>
                  <input
                    type="text"
                    value={name}
                    maxLength={120}
                    placeholder={t('builder.name_hint')}
                    aria-invalid={isNameMissing}
                    aria-describedby={isNameMissing ? 'name-missing' : undefined}
                    autoComplete="off"
                    onChange={(event) => {
                      setNameMissing(false)
                      saving.reset()
                      const { value } = event.target
                      setWritten((now) => ({ ...now, name: value }))
                    }}
                  />
                </label>
              )}
              {isNameMissing && (
                <p id="name-missing" className="clause-finding" role="alert">
                  {t('builder.name_missing')}
                </p>
              )}
              {saving.error && <Refused error={saving.error} />}
              <Button type="primary" htmlType="submit" disabled={isEmpty} loading={saving.isPending} block>
                {saveText}
              </Button>
            </div>
          ) : (
            <p className="soft">{t('builder.may_not')}</p>
          )}
        </aside>
      </form>
      {isCounted && <Holding counted={counted} />}
      <PeopleDrawer
        search={defined({ person: search.person })}
        lead={(personId) => isCounted && <WhyHolds definition={counted.definition} personId={personId} words={words} />}
      />
    </>
  )
}

function Sentence({ text, isEmpty }: { text: string; isEmpty: boolean }): ReactNode {
  return <p className={isEmpty ? 'definition-sentence faint' : 'definition-sentence'}>{text}</p>
}

function Refused({ error }: { error: Error }) {
  const { message, remedy } = useProblemWords(error)
  return (
    <p className="clause-finding" role="alert">
      {message} {remedy}
    </p>
  )
}
