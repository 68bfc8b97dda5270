import { execFile } from 'node:child_process'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { crc32, deflateRawSync } from 'node:zlib'
import { root } from './server.ts'

export interface ZipPart {
  readonly name: string
  readonly text: string
  readonly deflate?: boolean
  readonly encrypted?: boolean
  /** What the directory says the part unpacks to, when that is a lie. */
  readonly saidBytes?: number
}

/** A zip file of the parts given, stored unless deflated: enough to make workbooks without keeping binary files. */
export function zip(parts: readonly ZipPart[]): Buffer {
  const bodies: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, text, deflate = false, encrypted = false, saidBytes } of parts) {
    const plain = Buffer.from(text)
    const body = deflate ? deflateRawSync(plain) : plain
    // The cipher's own header is 12 bytes; what follows is never read.
    const packed = encrypted ? Buffer.concat([Buffer.alloc(12), body]) : body
    const fixed = Buffer.alloc(26)
    fixed.writeUInt16LE(20, 0)
    fixed.writeUInt16LE(0x800 | (encrypted ? 1 : 0), 2)
    fixed.writeUInt16LE(deflate ? 8 : 0, 4)
    fixed.writeUInt32LE(crc32(plain), 10)
    fixed.writeUInt32LE(packed.length, 14)
    fixed.writeUInt32LE(saidBytes ?? plain.length, 18)
    fixed.writeUInt16LE(Buffer.byteLength(name), 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), fixed, Buffer.from(name), packed])
    const place = Buffer.alloc(14)
    place.writeUInt32LE(offset, 10)
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), fixed, place, Buffer.from(name)]))
    bodies.push(local)
    offset += local.length
  }
  const list = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(parts.length, 8)
  end.writeUInt16LE(parts.length, 10)
  end.writeUInt32LE(list.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...bodies, list, end])
}

export interface BookSheet {
  readonly name: string
  /** The rows as XML; what follows the cells may follow here. */
  readonly rows: string
  readonly hidden?: boolean
}

export interface Book {
  readonly sheets: readonly BookSheet[]
  readonly sharedTexts?: readonly string[]
  readonly styles?: string
  readonly is1904?: boolean
}

const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
const TYPE = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
const MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'

/** The parts of a workbook, as a spreadsheet writes them. */
export function bookParts({ sheets, sharedTexts, styles, is1904 }: Book): ZipPart[] {
  const relation = (id: string, type: string, target: string) =>
    `<Relationship Id="${id}" Type="${TYPE}/${type}" Target="${target}"/>`
  const list = sheets.map(
    ({ name, hidden }, index) =>
      `<sheet name="${name}" sheetId="${index + 1}"${hidden ? ' state="hidden"' : ''} r:id="rId${index + 1}"/>`,
  )
  const relations = sheets.map((_, index) =>
    relation(`rId${index + 1}`, 'worksheet', `worksheets/sheet${index + 1}.xml`),
  )
  const texts = sharedTexts?.map((text) => `<si>${text.startsWith('<') ? text : `<t>${text}</t>`}</si>`).join('')
  return [
    { name: '[Content_Types].xml', text: `${XML}<Types/>` },
    {
      name: '_rels/.rels',
      text: `${XML}<Relationships>${relation('rId1', 'officeDocument', 'xl/workbook.xml')}</Relationships>`,
    },
    {
      name: 'xl/workbook.xml',
      text: `${XML}<workbook ${MAIN} xmlns:r="${TYPE}"><workbookPr${is1904 ? ' date1904="1"' : ''}/><sheets>${list.join('')}</sheets></workbook>`,
    },
    {
      name: 'xl/_rels/workbook.xml.rels',
      text: `${XML}<Relationships>${relations.join('')}${relation('rId98', 'sharedStrings', 'sharedStrings.xml')}${relation('rId99', 'styles', '/xl/styles.xml')}</Relationships>`,
    },
    ...(texts === undefined ? [] : [{ name: 'xl/sharedStrings.xml', text: `${XML}<sst ${MAIN}>${texts}</sst>` }]),
    ...(styles === undefined
      ? []
      : [{ name: 'xl/styles.xml', text: `${XML}<styleSheet ${MAIN}>${styles}</styleSheet>` }]),
    ...sheets.map(({ rows }, index) => ({
      name: `xl/worksheets/sheet${index + 1}.xml`,
      text: `${XML}<worksheet ${MAIN}><cols><col min="1" max="3"/></cols><sheetData>${rows}</sheetData><mergeCells/></worksheet>`,
      deflate: true,
    })),
  ]
}

export function workbook(book: Book): Buffer {
  return zip(bookParts(book))
}

/** Writes a CSV of order lines of about so many bytes. @returns its rows. */
export async function writeBigCsv(path: string, bytes: number): Promise<number> {
  const file = await open(path, 'w')
  try {
    await file.write('order_id,customer_id,paid_at,item,item_name,quantity,unit_price\n')
    const lines = Array.from(
      { length: 10_000 },
      (_, index) =>
        `O${index},C${index % 997},2026-03-0${1 + (index % 9)} 12:00:00,SKU${index % 89},"茶杯, 蓝 ""大""",${index % 7},${index}.50\n`,
    )
    const block = Buffer.from(lines.join(''))
    const blocks = Math.ceil(bytes / block.length)
    for (let index = 0; index < blocks; index += 1) await file.write(block)
    return blocks * lines.length
  } finally {
    await file.close()
  }
}

/** Reads a table in a process of its own. @returns its rows and the most memory it held, in MB. */
export async function readElsewhere(path: string): Promise<{ rows: number; rssMb: number }> {
  const script = `
    import { openTable } from ${JSON.stringify(join(root, 'src/platform/table-file.ts'))}
    const table = await openTable(${JSON.stringify(path)})
    let rows = 0
    for await (const batch of table.batches) rows += batch.length
    console.log(JSON.stringify({ rows, rssMb: process.resourceUsage().maxRSS / 1024 }))`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script])
  return JSON.parse(stdout)
}
