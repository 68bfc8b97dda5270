// Writes the order file of a brand: `node bench/write-orders.ts PATH OPTIONS` with the options as JSON. A process of its
// own, so that the memory of the import is measured without what making the file took.

import { type OrderFile, writeOrders } from './orders.ts'

const [path, options] = process.argv.slice(2)
if (!path || !options) throw new Error('usage: node bench/write-orders.ts PATH OPTIONS')
await writeOrders(path, JSON.parse(options) as OrderFile)
