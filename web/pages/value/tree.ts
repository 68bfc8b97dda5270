import type { ReferralTree } from '../../api/value-queries.ts'

export interface TreeNode {
  readonly person: ReferralTree['nodes'][number]
  readonly below: readonly TreeNode[]
  /** Of how many people the branch is, without this one. */
  readonly people: number
}

/** The list as a tree: whoever was brought by somebody that is not in it stands directly below the person. */
export function childrenOf({ nodes }: Pick<ReferralTree, 'nodes'>): TreeNode[] {
  const known = new Set(nodes.map((node) => node.person_id))
  const byReferrer = Map.groupBy(nodes, (node) => (known.has(node.referrer_person_id) ? node.referrer_person_id : 0))
  const built = (referrer: number): TreeNode[] =>
    (byReferrer.get(referrer) ?? []).map((person) => {
      const below = built(person.person_id)
      return { person, below, people: below.reduce((sum, { people }) => sum + people + 1, 0) }
    })
  return built(0)
}
