import { useBrandFormat } from './brand-format.tsx'

/** An instant as people say it; the full one on hover and for machines. */
export function When({ at }: { at: string }) {
  const { when, instant, zone } = useBrandFormat()
  return (
    <time dateTime={at} title={`${instant(at)} ${zone}`}>
      {when(at)}
    </time>
  )
}
