import './value.css'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { referralTreeQuery } from '../../api/value-queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { Loaded } from '../../ui/Loaded.tsx'
import { PersonLink } from './PersonLink.tsx'
import { childrenOf, type TreeNode } from './tree.ts'

/** So many of one person's stand open; the others behind one more line. */
const SHOWN_MAX = 12

/** Whom somebody brought, and whom those brought, as a tree that opens branch by branch. It is read when it is asked for. */
export function ReferralTree({ personId, asOf }: { personId: number; asOf?: string | undefined }) {
  const { t } = useTranslation()
  const [isOpen, setIsOpen] = useState(false)
  return (
    <details className="tree" onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary>{t('tree.title')}</summary>
      {isOpen && <Tree personId={personId} asOf={asOf} />}
    </details>
  )
}

function Tree({ personId, asOf }: { personId: number; asOf: string | undefined }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  return (
    <Loaded
      query={useQuery(referralTreeQuery(personId, asOf))}
      problem={t('value.problem')}
      waiting={t('list.loading')}
    >
      {(tree) => (
        <>
          <p className="note">
            {t(tree.is_cut ? 'tree.cut' : 'tree.whole', { people: count(tree.nodes.length), count: tree.nodes.length })}
          </p>
          <Branch nodes={childrenOf(tree)} asOf={asOf} />
        </>
      )}
    </Loaded>
  )
}

function Branch({ nodes, asOf }: { nodes: readonly TreeNode[]; asOf: string | undefined }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const rest = nodes.slice(SHOWN_MAX)
  return (
    <ul className="tree-branch">
      {nodes.slice(0, SHOWN_MAX).map((node) => (
        <Twig key={node.person.person_id} node={node} asOf={asOf} />
      ))}
      {rest.length > 0 && (
        <li>
          <details>
            <summary>{t('tree.more', { people: count(rest.length), count: rest.length })}</summary>
            <ul className="tree-branch">
              {rest.map((node) => (
                <Twig key={node.person.person_id} node={node} asOf={asOf} />
              ))}
            </ul>
          </details>
        </li>
      )}
    </ul>
  )
}

function Twig({ node: { person, below, people }, asOf }: { node: TreeNode; asOf: string | undefined }) {
  const { t } = useTranslation()
  const { count, money } = useBrandFormat()
  const name = <PersonLink person={person} asOf={asOf} />
  const own = <span className="soft">{t('tree.own', { own: money(person.own_minor) })}</span>
  if (below.length === 0) {
    return (
      <li>
        {name} {own}
      </li>
    )
  }
  return (
    <li>
      {name} {own}
      <details>
        <summary>
          {t('tree.below', { people: count(people), count: people, influenced: money(person.influenced_minor) })}
        </summary>
        <Branch nodes={below} asOf={asOf} />
      </details>
    </li>
  )
}
