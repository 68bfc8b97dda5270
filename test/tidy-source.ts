import { posix } from 'node:path'
import { parseSync } from 'vite'

/** A checkout as data: path from its root, with `/` -> text. */
export type Files = ReadonlyMap<string, string>

export interface Finding {
  readonly rule: string
  readonly file: string
  readonly line: number
  readonly message: string
}

/** Something a rule may object to, with where it stands in the file. */
export interface Spot {
  readonly offset: number
}

export interface Import extends Spot {
  readonly specifier: string
  /** Path of the file it names, for a relative specifier. */
  readonly target: string | undefined
  readonly isReExport: boolean
  /** `export * from`. */
  readonly isStar: boolean
}

export interface Literal extends Spot {
  /** As written, quotes and `${…}` blanked, so that offsets in it are offsets in the file less `offset`. */
  readonly text: string
  /** The tag of a template: `sql` for sql`…`. */
  readonly tag: string | undefined
  /** The method whose argument it is: `insertInto` for db.insertInto('…'). */
  readonly callee: string | undefined
}

export interface Source {
  readonly file: string
  readonly text: string
  readonly imports: readonly Import[]
  readonly literals: readonly Literal[]
  /** `Date.now`, `process.env`: an identifier and one property of it. */
  readonly members: readonly (Spot & { readonly path: string })[]
  /** What is called, by its last name: `selectFrom`, `randomUUID`. */
  readonly calls: readonly (Spot & { readonly name: string })[]
  /** Offsets of `new Date()` without an argument. */
  readonly emptyDates: readonly Spot[]
  readonly defaultExports: readonly Spot[]
}

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

export const isTest = (file: string) => /\.test\.tsx?$/.test(file)
export const isCode = (file: string) => /\.tsx?$/.test(file) && !file.startsWith('generated/')

export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}

/** @throws Error when the file is not TypeScript. */
export function parseSource(file: string, text: string): Source {
  const { program, errors } = parseSync(file, text)
  if (errors[0]) throw new Error(`${file}: ${errors[0].message}`)
  const imports: Import[] = []
  const literals: Literal[] = []
  const members: (Spot & { path: string })[] = []
  const calls: (Spot & { name: string })[] = []
  const emptyDates: Spot[] = []
  const defaultExports: Spot[] = []

  function visit(node: Node, parent: Node | undefined): void {
    const offset = node.start
    const source = asNode(node.source)
    if (/^(Import|Export)\w*(Declaration|Expression)$/.test(node.type) && typeof source?.value === 'string') {
      const specifier = source.value
      const target = specifier.startsWith('.') ? posix.join(posix.dirname(file), specifier) : undefined
      const isReExport = node.type.startsWith('Export')
      imports.push({ offset, specifier, target, isReExport, isStar: node.type === 'ExportAllDeclaration' })
    }
    if (node.type === 'ExportDefaultDeclaration') defaultExports.push({ offset })
    if (node.type === 'MemberExpression' && !node.computed) {
      const path = `${nameOf(node.object)}.${nameOf(node.property)}`
      members.push({ offset, path })
    }
    if (node.type === 'CallExpression') calls.push({ offset, name: calleeOf(node) ?? '' })
    if (node.type === 'NewExpression' && nameOf(node.callee) === 'Date' && asNodes(node.arguments).length === 0) {
      emptyDates.push({ offset })
    }
    const isImportSource = parent && asNode(parent.source) === node
    const isString = node.type === 'Literal' && typeof node.value === 'string'
    if ((isString || node.type === 'TemplateLiteral') && !isImportSource) {
      const tag = parent?.type === 'TaggedTemplateExpression' ? nameOf(parent.tag) : undefined
      literals.push({ offset, text: blanked(text, node), tag, callee: parent && calleeOf(parent) })
    }
    for (const value of Object.values(node)) {
      for (const child of Array.isArray(value) ? value : [value]) {
        const inner = asNode(child)
        if (inner) visit(inner, node)
      }
    }
  }

  visit(program as unknown as Node, undefined)
  return { file, text, imports, literals, members, calls, emptyDates, defaultExports }
}

function blanked(text: string, literal: Node): string {
  let raw = text.slice(literal.start, literal.end)
  const blank = (from: number, to: number) => {
    raw = raw.slice(0, from) + raw.slice(from, to).replace(/[^\n]/g, ' ') + raw.slice(to)
  }
  blank(0, 1)
  blank(raw.length - 1, raw.length)
  // A quasi's range holds the `${` after it and the `}` before it.
  const quasis = asNodes(literal.quasis)
  for (const [index, quasi] of quasis.slice(0, -1).entries()) {
    const next = quasis[index + 1]
    if (next) blank(quasi.end - 2 - literal.start, next.start + 1 - literal.start)
  }
  return raw
}

function calleeOf(call: Node): string | undefined {
  if (call.type !== 'CallExpression') return undefined
  const callee = asNode(call.callee)
  return callee?.type === 'MemberExpression' ? nameOf(callee.property) : nameOf(callee)
}

function nameOf(value: unknown): string | undefined {
  const node = asNode(value)
  return node?.type === 'Identifier' && typeof node.name === 'string' ? node.name : undefined
}

function asNode(value: unknown): Node | undefined {
  const isNode = typeof value === 'object' && value !== null && typeof (value as Node).type === 'string'
  return isNode ? (value as Node) : undefined
}

function asNodes(value: unknown): Node[] {
  return Array.isArray(value) ? value.flatMap((item) => asNode(item) ?? []) : []
}
