/** A definition as the API takes it; what it means stands in docs/definitions.md §3. Read here as a tree that is edited. */
export type Definition = Readonly<Record<string, unknown>>

/** Where a node stands in a definition: `['all', 1, 'not']`. */
export type Place = readonly (string | number)[]

export const GROUPS = ['all', 'any', 'not_any', 'not_all'] as const
export type GroupWord = (typeof GROUPS)[number]

/** One row of the editor. A `not` is no row of its own: it belongs to the clause or group it stands before. */
export type View =
  | { readonly row: 'group'; readonly place: Place; readonly word: GroupWord; readonly of: readonly View[] }
  | {
      readonly row: 'clause'
      readonly place: Place
      readonly isNot: boolean
      readonly kind: string
      readonly content: unknown
    }
  /** What the editor has no form for; it is kept as it was written. */
  | { readonly row: 'raw'; readonly place: Place; readonly value: unknown }

export function isDefinition(value: unknown): value is Definition {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The one word of a node and what it says; undefined where there is not exactly one. */
function wordOf(value: unknown): [string, unknown] | undefined {
  if (!isDefinition(value)) return undefined
  const [entry, ...others] = Object.entries(value)
  return entry && others.length === 0 ? entry : undefined
}

export function viewOf(value: unknown, place: Place = []): View {
  const raw: View = { row: 'raw', place, value }
  const [word, said] = wordOf(value) ?? []
  if (word === undefined) return raw
  if (word === 'not') {
    const inner = viewOf(said, [...place, 'not'])
    if (inner.row === 'clause' && !inner.isNot) return { ...inner, place, isNot: true }
    if (inner.row === 'group' && inner.word === 'any') return { ...inner, place, word: 'not_any' }
    if (inner.row === 'group' && inner.word === 'all') return { ...inner, place, word: 'not_all' }
    return raw
  }
  if (word !== 'all' && word !== 'any') return { row: 'clause', place, isNot: false, kind: word, content: said }
  if (!Array.isArray(said)) return raw
  return { row: 'group', place, word, of: said.map((one, index) => viewOf(one, [...place, word, index])) }
}

/** What a group with these in it is written as. */
export function groupOf(word: GroupWord, of: readonly unknown[]): Definition {
  switch (word) {
    case 'all':
    case 'any':
      return { [word]: of }
    case 'not_any':
      return { not: { any: of } }
    case 'not_all':
      return { not: { all: of } }
  }
}

export function clauseOf(kind: string, content: unknown, isNot: boolean): Definition {
  return isNot ? { not: { [kind]: content } } : { [kind]: content }
}

/** A definition whose outermost row is a group, so that there is somewhere to add to. */
export function asGroup(definition: Definition): Definition {
  return viewOf(definition).row === 'group' ? definition : { all: [definition] }
}

export function nodeAt(definition: unknown, place: Place): unknown {
  return place.reduce<unknown>(
    (node, step) => (node as Record<string | number, unknown> | undefined)?.[step],
    definition,
  )
}

/** The definition with another node in a place. */
export function withNode(definition: Definition, place: Place, node: Definition): Definition {
  return put(definition, place, () => node) as Definition
}

/** Without the node in a place: it is taken out of the list that it stands in. */
export function withoutNode(definition: Definition, place: Place): Definition {
  const index = place.at(-1)
  return put(definition, place.slice(0, -1), (list) =>
    Array.isArray(list) ? list.filter((_, at) => at !== index) : list,
  ) as Definition
}

/** With one more at the end of the group in a place. */
export function withAdded(definition: Definition, place: Place, node: Definition): Definition {
  return put(definition, [...place, ...listWithin(nodeAt(definition, place))], (list) =>
    Array.isArray(list) ? [...list, node] : list,
  ) as Definition
}

/** Where the list of a group stands in it. */
function listWithin(group: unknown): Place {
  const [word, said] = wordOf(group) ?? []
  return word === 'not' ? ['not', ...listWithin(said)] : word === undefined ? [] : [word]
}

function put(node: unknown, place: Place, change: (node: unknown) => unknown): unknown {
  const [step, ...rest] = place
  if (step === undefined) return change(node)
  if (Array.isArray(node)) return node.map((one, index) => (index === step ? put(one, rest, change) : one))
  if (!isDefinition(node)) return node
  return { ...node, [step]: put(node[step], rest, change) }
}

/** How the API writes a place: `$.all[1].not`. */
export function placeText(place: Place): string {
  return `$${place.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('')}`
}

/** What is wrong, with the place as the API wrote it. */
export interface Finding {
  readonly path: string
  readonly reason: string
}

/** The findings in the message of a refused definition: `$.all[1].orders.window: needs …; $.any: …`. */
export function findingsIn(message: string): Finding[] {
  return message
    .split(/; (?=\$)/)
    .map((part) => /^(\$\S*?): (.*)$/s.exec(part))
    .flatMap((found) => (found?.[1] && found[2] ? [{ path: found[1], reason: found[2] }] : []))
}

/** The row that a finding is about: the innermost one whose place leads there. */
export function rowOf(view: View, { path }: Finding): Place {
  const leads = (place: Place) => {
    const text = placeText(place)
    return path === text || path.startsWith(`${text}.`) || path.startsWith(`${text}[`)
  }
  const inner = view.row === 'group' ? view.of.find(({ place }) => leads(place)) : undefined
  return inner ? rowOf(inner, { path, reason: '' }) : view.place
}

/** All clauses in it. */
export function clausesIn(view: View): number {
  return view.row === 'group' ? view.of.reduce((sum, one) => sum + clausesIn(one), 0) : 1
}
