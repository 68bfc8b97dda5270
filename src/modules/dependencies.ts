/**
 * The modules, lowest first, and whom each may know: it imports only their schema.ts and actions.ts and reads only
 * their published views. A lower module never knows a higher one. The tidy test holds everybody to it.
 */
export const MODULES = [
  { name: 'audit', knows: [] },
  { name: 'brand', knows: ['audit'] },
  { name: 'intake', knows: ['audit', 'brand'] },
  { name: 'customers', knows: ['audit', 'brand', 'intake'] },
  { name: 'tags', knows: ['audit', 'brand', 'intake', 'customers'] },
  { name: 'interactions', knows: ['audit', 'brand', 'intake', 'customers'] },
  { name: 'commerce', knows: ['audit', 'brand', 'intake', 'customers'] },
  { name: 'relationship', knows: ['audit', 'brand', 'intake', 'customers', 'tags', 'interactions', 'commerce'] },
  { name: 'value', knows: ['audit', 'brand', 'intake', 'customers', 'interactions', 'commerce', 'relationship'] },
  {
    name: 'segments',
    knows: ['audit', 'brand', 'intake', 'customers', 'tags', 'interactions', 'commerce', 'relationship', 'value'],
  },
  {
    name: 'analytics',
    knows: [
      'audit',
      'brand',
      'intake',
      'customers',
      'tags',
      'interactions',
      'commerce',
      'relationship',
      'value',
      'segments',
    ],
  },
] as const satisfies readonly ModuleDeclaration[]

export interface ModuleDeclaration {
  /** Its folder in src/modules and its schema in a brand's database. */
  readonly name: string
  readonly knows: readonly string[]
}
