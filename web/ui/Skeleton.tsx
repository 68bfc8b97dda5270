/**
 * Grey bars in the shape of what comes.
 * @param lines width of each row's text in percent; they differ, as texts do, and so serve as keys.
 */
export function SkeletonRows({ lines }: { lines: readonly number[] }) {
  return (
    <div className="skeleton" aria-hidden="true">
      {lines.map((width) => (
        <div key={width} className="skeleton-row">
          <span style={{ width: `${width}%` }} />
          <span />
        </div>
      ))}
    </div>
  )
}
