/** One record of a table file: its fields, and where it begins (a text file's line, a sheet's row; the first is 1). */
export interface TableRecord {
  readonly line: number
  readonly fields: string[]
}

/** A table as a file gives it, whatever the format. All values are text; what is empty is ''. */
export interface TableFile {
  readonly header: string[]
  /** Where the header stands: a text file's line, a sheet's row. What is above it is titles, and not read. */
  readonly headerLine: number
  /** Records after the header, in batches; memory stays bounded whatever the file's size. To be read once. */
  readonly batches: AsyncIterable<TableRecord[]>
  /** Bytes read so far and in all, of the file as it lies on disk (compressed when gzip or XLSX). */
  progress(): { readonly bytesRead: number; readonly bytesTotal: number }
  /** Where the record after the last batch begins; undefined where a file cannot be entered but at its beginning. */
  position?(): TablePosition
  /** Lets go of the file before its end; after the last batch it is let go of already. */
  close(): void
}

/** A place between two records of a text file. */
export interface TablePosition {
  /** Lines and bytes before it. */
  readonly lines: number
  readonly bytes: number
}

/** The file is none that can be read as it is: the message says where and what to do. */
export class TableError extends Error {}

/** Beyond any of these a file is refused, so that no file takes the machine with it. */
export interface TableLimits {
  readonly columns: number
  /** Bytes of one record, in UTF-8. */
  readonly recordBytes: number
  /** Rows of a sheet: what a spreadsheet can hold. */
  readonly sheetRows: number
  /** Bytes of a workbook when unpacked, all its parts together. */
  readonly workbookBytes: number
  /** Unpacked size of a workbook's part by its packed size; parts under 1 MB are free. */
  readonly workbookRatio: number
  /** Memory of a workbook's shared texts, in bytes: they are held while its sheet is read. */
  readonly sharedTextBytes: number
  /** Bytes of a gzip file when unpacked. */
  readonly gzipBytes: number
}

export const TABLE_LIMITS: TableLimits = {
  columns: 2000,
  recordBytes: 1_000_000,
  sheetRows: 1_048_576,
  workbookBytes: 2_000_000_000,
  workbookRatio: 200,
  sharedTextBytes: 150_000_000,
  gzipBytes: 20_000_000_000,
}

/** Rows read at a time. Of wide rows (250 bytes) 2,000 took Node 55 MB more at its peak, and were read no faster. */
export const BATCH_RECORDS = 500

/** Records that are looked at for the header, and the most that may be titles above it. */
export const HEAD_RECORDS = 50
const TITLES_MAX = 20
/** A title, or "shop: …" beside "made on: …", fills so few cells. */
const TITLE_CELLS_MAX = 3

/**
 * Which of a file's first records is the header: the first one, unless it is a title as tills and shops write them above
 * their tables. Titles fill three cells at most, and at most half as many as the fullest record.
 */
export function headerPlace(records: readonly TableRecord[]): number {
  const filled = records.map(({ fields }) => fields.filter((text) => text.trim() !== '').length)
  const most = Math.max(0, ...filled)
  const place = filled.findIndex((count) => count > TITLE_CELLS_MAX || count * 2 > most)
  return place <= TITLES_MAX ? Math.max(0, place) : 0
}

/** @throws TableError when the header is wider than any table people keep. */
export function checkColumns(count: number, limits: TableLimits): void {
  if (count <= limits.columns) return
  const most = limits.columns.toLocaleString('en-US')
  throw new TableError(
    `The header has more than ${most} columns. Export only the columns that are needed, or check that this is the file you mean.`,
  )
}
