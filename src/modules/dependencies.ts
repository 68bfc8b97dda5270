/**
 * The modules, lowest first, and whom each may know: it imports only their schema.ts and actions.ts and reads only
 * their published views. A lower module never knows a higher one. The tidy test holds everybody to it.
 */
export const MODULES = [
  { name: 'brand', knows: [] },
  { name: 'intake', knows: ['brand'] },
  { name: 'customers', knows: ['brand', 'intake'] },
  { name: 'interactions', knows: ['brand', 'intake', 'customers'] },
  { name: 'commerce', knows: ['brand', 'intake', 'customers'] },
  { name: 'relationship', knows: ['brand', 'intake', 'customers', 'interactions', 'commerce'] },
  { name: 'analytics', knows: ['brand', 'intake', 'customers', 'interactions', 'commerce', 'relationship'] },
] as const satisfies readonly ModuleDeclaration[]

export interface ModuleDeclaration {
  /** Its folder in src/modules and its schema in a brand's database. */
  readonly name: string
  readonly knows: readonly string[]
}
