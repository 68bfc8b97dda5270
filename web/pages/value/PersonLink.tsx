import { Link } from '@tanstack/react-router'
import { opens } from '../../paths.ts'
import { Figure } from '../../ui/Figure.tsx'

interface PersonLinkProps {
  person: { person_id: number; name: string | null; key: string }
  asOf: string | undefined
}

/** Another person's value: on their page, or as of the same past day beside the page that is about it. */
export function PersonLink({ person, asOf }: PersonLinkProps) {
  const name = person.name ?? person.key
  if (asOf !== undefined) {
    return (
      <Figure opened={opens.person(person.person_id)} className="figure worth-person">
        {name}
      </Figure>
    )
  }
  return (
    <Link to="/people/$person_id" params={{ person_id: person.person_id }} className="figure worth-person">
      {name}
    </Link>
  )
}
