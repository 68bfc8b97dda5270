import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { readConfig } from '../src/platform/config.ts'

/**
 * Path of a file of the public data sets (`../shared/data`, or PERENNIAL_TEST_DATA), which are too big to commit.
 * Where it is missing the test is skipped with a reason and undefined is returned: `if (!path) return`.
 *
 * @throws Error on a CI machine (CI=true), where a missing data set is a failure.
 */
export function needData(t: TestContext, file: string): string | undefined {
  const config = readConfig()
  const path = join(config.testData, file)
  if (existsSync(path)) return path
  const reason = `${path} is not there: put the public data sets into ${config.testData} or set PERENNIAL_TEST_DATA`
  if (config.ci) throw new Error(reason)
  t.skip(reason)
  return undefined
}
