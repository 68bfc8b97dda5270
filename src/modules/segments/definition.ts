import { type Refusal, refuse } from '../../platform/refusal.ts'
import { CLAUSES, clauseKind } from './clause-queries.ts'
import { LIMITS } from './schema.ts'

/** A definition that was read: each node with its place in what was written. */
export type Node = GroupNode | ClauseNode | SegmentNode
export interface GroupNode {
  readonly op: 'all' | 'any' | 'not'
  readonly path: string
  readonly of: readonly Node[]
  /** Of what a segment says: which one. */
  readonly segmentId?: number
}
export interface ClauseNode {
  readonly op: 'clause'
  readonly path: string
  readonly kind: string
  /** As its schema gave it. */
  readonly clause: unknown
}
/** Another segment, before what it says stands in its place. */
export interface SegmentNode {
  readonly op: 'segment'
  readonly path: string
  readonly segmentId: number
}

const WORDS = ['all', 'any', 'not', 'segment', ...Object.keys(CLAUSES)]
const FINDINGS_MAX = 5

class BadDefinition extends Error {}

/**
 * A definition as somebody wrote it, or why it is none, with the place: `$.all[1].orders.window`. What it refers to is not looked
 * up here (`resolve`).
 */
export function readDefinition(given: unknown): Node | Refusal {
  let clauses = 0
  const fail = (path: string, reason: string) => new BadDefinition(`${path}: ${reason}`)

  function read(value: unknown, path: string, nesting: number): Node {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw fail(path, `is no object; write one with one of ${WORDS.join(', ')}`)
    }
    const [word, ...others] = Object.keys(value)
    if (word === undefined || others.length > 0) {
      const found = word === undefined ? 'is empty' : `has ${[word, ...others].slice(0, FINDINGS_MAX).join(', ')}`
      throw fail(path, `${found}; write exactly one of ${WORDS.join(', ')}, and several in "all" or "any"`)
    }
    const place = `${path}.${named(word)}`
    const content = (value as Record<string, unknown>)[word]
    if (word === 'all' || word === 'any' || word === 'not') {
      if (nesting >= LIMITS.nesting) throw fail(place, `stands more than ${LIMITS.nesting} deep`)
      if (word === 'not') return { op: 'not', path: place, of: [read(content, place, nesting + 1)] }
      if (!Array.isArray(content) || content.length === 0) throw fail(place, 'needs a list with at least one in it')
      if (content.length > LIMITS.clauses) throw fail(place, tooMany(content.length))
      return { op: word, path: place, of: content.map((one, index) => read(one, `${place}[${index}]`, nesting + 1)) }
    }
    clauses += 1
    if (clauses > LIMITS.clauses) throw fail(place, tooMany(clauses))
    if (word === 'segment') {
      if (typeof content !== 'number' || !Number.isSafeInteger(content) || content < 1) {
        throw fail(place, "is no segment's number")
      }
      return { op: 'segment', path: place, segmentId: content }
    }
    const kind = clauseKind(word)
    if (!kind) throw fail(place, `is no clause; there are ${WORDS.join(', ')}`)
    const parsed = kind.schema.safeParse(content)
    if (parsed.success) return { op: 'clause', path: place, kind: word, clause: parsed.data }
    const findings = parsed.error.issues.slice(0, FINDINGS_MAX).map((issue) => {
      return `${[place, ...issue.path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${named(String(key))}`))].join('')}: ${issue.message}`
    })
    throw new BadDefinition(findings.join('; '))
  }

  try {
    return read(given, '$', 0)
  } catch (error) {
    if (error instanceof BadDefinition) return badDefinition(error.message)
    // Nested deeper than the stack is.
    if (error instanceof RangeError) return badDefinition('$: is nested too deep')
    throw error
  }
}

function badDefinition(message: string): Refusal {
  const remedy = 'docs/definitions.md §12 has every clause with its fields.'
  return refuse('invalid', 'bad_definition', message.slice(0, 1000), remedy)
}

/** A word of the definition as it is shown: whatever it is, short and in one line. */
function named(word: string): string {
  return /^[a-z_0-9]{1,60}$/.test(word) ? word : JSON.stringify(word.slice(0, 60))
}

function tooMany(clauses: number): string {
  return `with it there are ${clauses} clauses or more; ${LIMITS.clauses} are the most`
}

/** Segments that a definition names itself. */
export function referencesOf(node: Node): number[] {
  if (node.op === 'segment') return [node.segmentId]
  return node.op === 'clause' ? [] : [...new Set(node.of.flatMap(referencesOf))]
}

export type ResolvedNode = ClauseNode | (Omit<GroupNode, 'of'> & { readonly of: readonly ResolvedNode[] })

/**
 * The definition with what every segment in it says in its place, so that whoever is in a segment and in one that refers to it is
 * asked by the same words at the same instant, and nothing has to be worked off in turn.
 *
 * @param itself the segment whose definition it is to be, which may not be in it; undefined for a new one.
 * @returns refuses a segment that is not there, one that contains itself, and too many clauses.
 */
export function resolve(node: Node, definitions: ReadonlyMap<number, Node>, itself?: number): ResolvedNode | Refusal {
  let clauses = 0

  function inlined(one: Node, within: readonly number[]): ResolvedNode {
    if (one.op === 'clause') {
      clauses += 1
      if (clauses > LIMITS.clauses)
        throw new BadDefinition(`${one.path}: ${tooMany(clauses)}, those of segments included`)
      return one
    }
    if (one.op !== 'segment') return { ...one, of: one.of.map((child) => inlined(child, within)) }
    const { segmentId, path } = one
    if (within.includes(segmentId)) {
      const way = within.length > 1 ? `, by way of ${within.slice(1).join(', ')}` : ''
      throw new BadDefinition(`${path}: segment ${segmentId} would contain itself${way}`)
    }
    const said = definitions.get(segmentId)
    if (!said) throw new BadDefinition(`${path}: there is no segment ${segmentId}`)
    const whole = inlined(said, [...within, segmentId])
    return { op: 'all', path, of: [whole], segmentId }
  }

  try {
    return inlined(node, itself === undefined ? [] : [itself])
  } catch (error) {
    if (error instanceof BadDefinition) return badDefinition(error.message)
    throw error
  }
}

/** All clauses of it, in its order. */
export function clausesOf(node: ResolvedNode): ClauseNode[] {
  return node.op === 'clause' ? [node] : node.of.flatMap(clausesOf)
}

/** Tags that it asks for where a rule may give them, by their names in small letters, each with the first place of it. */
export function ruleTagsOf(node: ResolvedNode, within = ''): Map<string, string> {
  if (node.op !== 'clause') {
    const inside = node.segmentId === undefined ? within : `segment ${node.segmentId}, `
    // The last of a name stays in a map: the other way round it is the first.
    return new Map(node.of.flatMap((child) => [...ruleTagsOf(child, inside)]).reverse())
  }
  const names = clauseKind(node.kind)?.ruleTags?.(node.clause) ?? []
  return new Map(names.map((name) => [name.toLowerCase(), `${within}${node.path}`]))
}

/** Whether it rests on scores, and so on the cut table in force. */
export function usesCuts(node: ResolvedNode): boolean {
  return clausesOf(node).some(({ kind, clause }) => clauseKind(kind)?.usesCuts?.(clause) ?? false)
}

/** How many of its clauses ask for the orders of most people. */
export function countOrders(node: ResolvedNode): number {
  return clausesOf(node).filter(({ kind, clause }) => clauseKind(kind)?.readsOrders?.(clause) ?? false).length
}

/** Whether it rests on what a run says people are worth. */
export function usesValues(node: ResolvedNode): boolean {
  return clausesOf(node).some(({ kind }) => clauseKind(kind)?.usesValues ?? false)
}

/** Whether it asks for a personal value. */
export function isPersonal(node: ResolvedNode): boolean {
  return clausesOf(node).some(({ kind, clause }) => clauseKind(kind)?.isPersonal?.(clause) ?? false)
}

/** Kinds of facts that can change who is in it; null: any. */
export function factKindsOf(node: ResolvedNode): string[] | null {
  const facts = clausesOf(node).map(({ kind, clause }) => {
    const known = clauseKind(kind)?.facts ?? 'any'
    return typeof known === 'function' ? known(clause) : known
  })
  return facts.includes('any') ? null : [...new Set(facts.flat())]
}
