import { fieldValue } from '../../platform/fields.ts'
import { type Refusal, refuse } from '../../platform/refusal.ts'
import type { TableFile } from '../../platform/table.ts'
import type { Mapping } from './schema.ts'

/** What a mapping does to rows before their kind reads them. */
export interface RowRules {
  /** The file with empty cells filled from the row before, as `carry_down` says. */
  carry(file: TableFile): TableFile
  /** Whether that takes a row to know the next one. */
  readonly isCarrying: boolean
  /** By `only`; of a row that was carried down. */
  leavesOut(fields: readonly string[]): boolean
}

/** @param unitField the field by whose value rows belong together; none for kinds of one row each. */
export function rowRules(
  columns: Readonly<Record<string, number>>,
  mapping: Mapping,
  unitField: string | undefined,
): RowRules | Refusal {
  if (mapping.carry_down && unitField === undefined) {
    return refuse(
      'invalid',
      'bad_mapping',
      `The mapping ${mapping.name} has carry_down, but rows of the kind ${mapping.kind} do not belong together.`,
      'Leave it out.',
    )
  }
  const wanted = Object.entries(mapping.only ?? {}).map(([field, values]) => ({ field, values: new Set(values) }))
  const carried = (mapping.carry_down ?? []).map((field) => columns[field] ?? -1).filter((place) => place >= 0)
  return {
    carry: (file) =>
      carried.length === 0
        ? file
        : { ...file, batches: carryDown(file.batches, columns[unitField ?? ''] ?? -1, carried) },
    isCarrying: carried.length > 0,
    leavesOut: (fields) => wanted.some(({ field, values }) => !values.has(fieldValue(fields, columns, field, mapping))),
  }
}

/** Only from the row just before, and only within a unit: a gap is never filled with somebody else's value. */
async function* carryDown(
  batches: TableFile['batches'],
  unit: number,
  places: readonly number[],
): TableFile['batches'] extends AsyncIterable<infer Batch> ? AsyncGenerator<Batch> : never {
  let before: readonly string[] = []
  for await (const batch of batches) {
    for (const { fields } of batch) {
      if (fields[unit] && fields[unit] === before[unit] && fields.length === before.length) {
        for (const place of places) if (fields[place] === '') fields[place] = before[place] ?? ''
      }
      before = fields
    }
    yield batch
  }
}
