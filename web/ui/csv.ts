type Cell = string | number | null

/**
 * What a spreadsheet would take for a formula when a cell begins with it. Names and ids hold whatever somebody typed, and
 * `=HYPERLINK(…)` in a file that a colleague opens is a way out for data.
 */
const FORMULA_START = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/

/**
 * Rows as CSV that Excel, Numbers and LibreOffice open without being asked about encoding: UTF-8 with its mark, CRLF.
 * Text is text: what could be run as a formula gets an apostrophe in front. Numbers stay numbers, negative ones too.
 */
export function csvText(rows: readonly (readonly Cell[])[]): string {
  return `\uFEFF${rows.map((row) => `${row.map(cellText).join(',')}\r\n`).join('')}`
}

function cellText(cell: Cell): string {
  if (cell === null) return ''
  if (typeof cell === 'number') return String(cell)
  const safe = FORMULA_START.test(cell) ? `'${cell}` : cell
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** Hands a text to the browser as a file. */
export function download(name: string, text: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}
