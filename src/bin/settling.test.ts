import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { systemClock } from '../platform/clock.ts'
import type { Database } from '../platform/db.ts'
import { createSettling } from './settling.ts'

const database = (): Database => ({}) as Database

test('calls while a run is under way make one more run, and databases do not wait for each other', async (t) => {
  const runs: Database[] = []
  const { promise: gate, resolve: open } = Promise.withResolvers<void>()
  const settling = createSettling(systemClock, {
    log: assert.fail,
    work: async (one) => {
      runs.push(one)
      if (one === slow) await gate
      return 1
    },
  })
  t.after(() => settling.stop())
  const [slow, quick] = [database(), database()]
  for (let call = 0; call < 5; call += 1) settling.settle(slow)
  settling.settle(quick)
  await turn()
  assert.deepEqual(runs, [slow, quick])
  open()
  await sleep(400)
  assert.equal(runs.filter((one) => one === slow).length, 2, 'the first at once, and one for the four calls after it')
  settling.settle(slow)
  await turn()
  assert.equal(runs.filter((one) => one === slow).length, 3)
})

test('a run that fails is said and leaves the others alone; stopping waits for what is under way', async () => {
  const said: string[] = []
  let ended = false
  const [bad, good] = [database(), database()]
  const settling = createSettling(systemClock, {
    log: (sentence) => said.push(sentence),
    work: async (one) => {
      if (one === bad) throw new Error('disk full')
      await sleep(50)
      ended = true
      return 1
    },
  })
  settling.settle(bad)
  settling.settle(good)
  await turn()
  await settling.stop()
  assert.equal(ended, true)
  assert.equal(said.length, 1)
  assert.match(said[0] ?? '', /trying again in 5 s: disk full$/)
  settling.settle(good)
})

test('few people pause a run shortly however long it took, many of them longer while more come', async (t) => {
  const begun = new Map<Database, number[]>()
  const [few, many, ended] = [database(), database(), database()]
  const settling = createSettling(systemClock, {
    log: assert.fail,
    work: async (one) => {
      begun.set(one, [...(begun.get(one) ?? []), performance.now()])
      await sleep(200)
      return one === few ? 999 : 1000
    },
  })
  t.after(() => settling.stop())
  for (const one of [few, many, ended]) {
    settling.settle(one)
    settling.settle(one)
  }
  await turn()
  for (const one of [few, many, ended]) settling.settle(one)
  const coming = setInterval(() => settling.settle(many), 50)
  t.after(() => clearInterval(coming))
  await sleep(700)
  assert.equal(begun.get(few)?.length, 2, 'after 200 ms more')
  assert.equal(begun.get(many)?.length, 1, 'not before 800 ms more')
  assert.equal(begun.get(ended)?.length, 2, 'soon after the last that came')
})
