import type { ImportKindName, ImportWish, Mapping, UploadGuess } from '../../api/import-queries.ts'
import { defined } from '../../paths.ts'

/** How a file is to be read, as it stands on the page: the guess, and what somebody changed in it. */
export interface Draft {
  /** Of each field the one column that it is read from. */
  mapping: Mapping
  /** What the source is called; empty: it has to be said. */
  source: string
  /** Somebody said it, so it is not asked about again. */
  isSourceSaid: boolean
  sheet: string
  options: Record<string, string>
  isIntoDemo: boolean
  /** What the brand is called that the import makes; undefined: it goes into one that there is. */
  newBrand: string | undefined
  /** Fields whose column somebody chose. */
  byHand: readonly string[]
}

/** The form as it is opened: as it was sent last, else as the file was guessed. */
export function draftOf(guess: UploadGuess, before: ImportWish | null): Draft {
  if (before) {
    return {
      mapping: before.mapping,
      source: before.source ?? before.mapping.source,
      isSourceSaid: before.source !== undefined,
      sheet: before.sheet ?? '',
      options: before.options ?? {},
      isIntoDemo: before.into_demo ?? false,
      newBrand: before.new_brand,
      byHand: [],
    }
  }
  if (!guess.guess) return draftOfKind(guess, 'orders')
  const { mapping, columns } = guess.guess
  return begun(guess, {
    ...mapping,
    columns: Object.fromEntries(columns.map(({ field, column }) => [field, [column]])),
  })
}

/** The form for another kind than was guessed: columns by the names that are known for its fields. */
export function draftOfKind(guess: UploadGuess, kind: ImportKindName): Draft {
  if (guess.guess?.mapping.kind === kind) return draftOf(guess, null)
  const known = guess.kinds.find((one) => one.kind === kind)?.known
  const found = Object.entries(known?.columns ?? {}).flatMap(([field, names]) => {
    const column = guess.columns.find(({ name }) => [field, ...names].some((other) => plain(other) === plain(name)))
    return column ? [[field, [column.name]]] : []
  })
  return begun(guess, {
    name: BY_HAND,
    kind,
    source: kind,
    date_order: guess.guess?.mapping.date_order ?? 'ymd',
    columns: Object.fromEntries(found),
    options: {},
    ...defined({ values: known?.values }),
  })
}

/** Names a mapping in the list of imports. */
const BY_HAND = 'by_hand'

function begun(guess: UploadGuess, mapping: Mapping): Draft {
  const isKnown = guess.is_source_known || mapping.source !== guess.guess?.mapping.source
  const names = guess.sources.map(({ source }) => source)
  // Whose customer ids these are nobody can tell of several sources; of one it is that, and `orders` is what a guess calls it.
  const idsOf = names.length === 1 ? names[0] : names.find((name) => name === 'orders')
  const takesIds = mapping.kind !== 'orders' && idsOf !== undefined && idsOf !== mapping.source
  return {
    mapping,
    source: isKnown ? mapping.source : '',
    isSourceSaid: false,
    sheet: '',
    options: takesIds ? { own_id_source: idsOf } : {},
    isIntoDemo: false,
    newBrand: guess.target.is_new ? '' : undefined,
    byHand: [],
  }
}

/** A field is read from another column, or from none. */
export function chooseColumn(draft: Draft, field: string, column: string): Draft {
  const { [field]: _, ...others } = draft.mapping.columns
  const columns = column === '' ? others : { ...others, [field]: [column] }
  return {
    ...draft,
    mapping: { ...draft.mapping, name: BY_HAND, columns },
    byHand: [...draft.byHand.filter((other) => other !== field), field],
  }
}

/** What a word in the status column makes of an order. */
export type Counting = 'paid' | 'given_back' | 'unpaid'

export function countingOf({ mapping }: Draft, word: string): Counting {
  if (mapping.values?.is_refunded?.[word] === 'yes') return 'given_back'
  const counted = mapping.only?.status
  return counted === undefined || counted.includes(word) ? 'paid' : 'unpaid'
}

/** Which column says how far an order is; of one that was not guessed every word counts until somebody says otherwise. */
export function chooseStatus(draft: Draft, guess: UploadGuess, column: string): Draft {
  const { status: _s, is_refunded: _r, ...columns } = draft.mapping.columns
  const { status: _o, ...only } = draft.mapping.only ?? {}
  const { is_refunded: _v, ...values } = draft.mapping.values ?? {}
  const guessed = guess.guess?.mapping
  const isGuessed = guessed?.columns.status?.[0] === column
  const words = guess.columns.find(({ name }) => name === column)?.words ?? []
  const said = {
    columns: { ...columns, status: [column], is_refunded: [column] },
    only: { ...only, status: (isGuessed ? guessed.only?.status : undefined) ?? words },
    values: { ...values, is_refunded: (isGuessed ? guessed.values?.is_refunded : undefined) ?? {} },
  }
  return { ...draft, mapping: cleared({ ...draft.mapping, ...(column === '' ? { columns, only, values } : said) }) }
}

export function sayCounting(draft: Draft, word: string, counting: Counting): Draft {
  const { mapping } = draft
  const counted = (mapping.only?.status ?? []).filter((other) => other !== word)
  const { [word]: _, ...given_back } = mapping.values?.is_refunded ?? {}
  return {
    ...draft,
    mapping: {
      ...mapping,
      name: BY_HAND,
      only: { ...mapping.only, status: counting === 'unpaid' ? counted : [...counted, word] },
      values: {
        ...mapping.values,
        is_refunded: counting === 'given_back' ? { ...given_back, [word]: 'yes' } : given_back,
      },
    },
  }
}

/** Without rules that say nothing. */
function cleared({ only, values, ...mapping }: Mapping): Mapping {
  const isSaid = (rules: object | undefined) => Object.keys(rules ?? {}).length > 0
  return { ...mapping, ...(isSaid(only) ? { only } : {}), ...(isSaid(values) ? { values } : {}) }
}

export function wishOf(draft: Draft): ImportWish {
  const { mapping, source, isSourceSaid, sheet, options, isIntoDemo, newBrand = '' } = draft
  const said = source.trim()
  return {
    mapping: { ...mapping, source: said || mapping.source },
    options,
    into_demo: isIntoDemo,
    ...(isIntoDemo || newBrand.trim() === '' ? {} : { new_brand: newBrand.trim() }),
    ...(isSourceSaid && said !== '' ? { source: said } : {}),
    ...(sheet.trim() === '' ? {} : { sheet: sheet.trim() }),
  }
}

/** As the server compares names of columns. */
function plain(name: string): string {
  return name.toLowerCase().replace(/[\s_-]+/g, '')
}
