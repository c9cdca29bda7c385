import { sql } from 'kysely'
import t from 'tap'
import { PROBE_DELAYS_SECONDS } from '../../src/dispatch/key-probe.ts'
import { claimJobs } from '../../src/store/claim-jobs.ts'
import { endTrial } from '../../src/store/end-trial.ts'
import { findDueProbes } from '../../src/store/find-due-probes.ts'
import { pauseConnection } from '../../src/store/pause-connection.ts'
import { probeSoon } from '../../src/store/probe-soon.ts'
import type { KeySide } from '../../src/store/refusal-columns.ts'
import { setConnectionState } from '../../src/store/set-connection-state.ts'
import { settleProbe } from '../../src/store/settle-probe.ts'
import { deliver, openLedger, secondsUntil, storeDispatch } from '../support/ledger.ts'

const { db } = await openLedger(t)

const GOOD = { kind: 'good' } as const
const REFUSED = { kind: 'refused', message: 'still not' } as const
const UNKNOWN = { kind: 'unknown', message: 'nobody answered' } as const
const OPERATOR = { actor: 'otto' }

async function read() {
  const row = await db.selectFrom('connections').selectAll().executeTakeFirstOrThrow()
  return { row, version: row.updated_at.toISOString() }
}

async function pause(side: KeySide): Promise<boolean> {
  const { version } = await read()
  return pauseConnection(db, { name: 'acme', side, reason: 'who are you', version, actor: 'worker-a' })
}

async function probe(side: KeySide, answer: Parameters<typeof settleProbe>[2]): Promise<boolean> {
  const { version } = await read()
  return settleProbe(db, { name: 'acme', side, version, actor: 'worker-a' }, answer)
}

/** As if the time of every probe had come. */
async function makeProbesDue(): Promise<void> {
  await sql`update connections set probe_at = probe_at - interval '1 day',
    reporting_probe_at = reporting_probe_at - interval '1 day'`.execute(db)
}

async function claimable(kind: 'deliver' | 'report'): Promise<number> {
  const shares = [{ connection: 'acme', maxInFlight: 10 }]
  return (await claimJobs(db, { kind, shares, worker: 'worker-a', leaseSeconds: 60 })).length
}

for (const side of ['deliveries', 'reporting'] as const) {
  const prefix = side === 'reporting' ? 'reporting_' : ''
  const state = side === 'reporting' ? 'reporting_state' : 'state'
  const at = side === 'reporting' ? 'reporting_probe_at' : 'probe_at'

  t.test(`a refused key of ${side}`, async (t) => {
    t.test('pauses its own side once, and says when it is tried again', async (t) => {
      t.strictSame([await pause(side), await pause(side)], [true, false])

      const { row } = await read()
      t.match(row, { [state]: 'paused', [`${prefix}refusals`]: 1 })
      t.match(row, side === 'reporting' ? { state: 'active' } : { reporting_state: 'active' })
      const seconds = await secondsUntil(db, row[at] ?? new Date(Number.NaN))
      t.ok(seconds > 25 && seconds <= 30, `in ${seconds} s`)
      t.strictSame(await findDueProbes(db, side), [])
    })

    t.test('is waited for longer each time, up to a bound', async (t) => {
      await pause(side)
      for (const delay of [...PROBE_DELAYS_SECONDS.slice(1), 900, 900]) {
        t.notOk(await probe(side, REFUSED))
        const seconds = await secondsUntil(db, (await read()).row[at] ?? new Date(Number.NaN))
        t.ok(seconds > delay - 5 && seconds <= delay, `${seconds} s where ${delay} s are right`)
      }
      t.match((await read()).row, { [side === 'reporting' ? 'reporting_reason' : 'state_reason']: 'still not' })
    })

    t.test('is waited for no longer because nobody answered', async (t) => {
      await pause(side)

      t.notOk(await probe(side, UNKNOWN))

      t.match((await read()).row, { [`${prefix}refusals`]: 1 })
      t.match((await read()).row, { [side === 'reporting' ? 'reporting_reason' : 'state_reason']: 'who are you' })
    })

    t.test('goes on on trial once it is good, and in full once something was taken', async (t) => {
      await pause(side)
      await makeProbesDue()
      t.strictSame(await findDueProbes(db, side), ['acme'])

      t.ok(await probe(side, GOOD))
      t.match((await read()).row, { [state]: 'active', [`${prefix}refusals`]: 1, [at]: null })
      await endTrial(db, 'acme', side)

      t.match((await read()).row, { [`${prefix}refusals`]: 0 })
      const { rows } = await sql<{ action: string; actor: string }>`
        select action, actor from audit_log order by id`.execute(db)
      const what = side === 'reporting' ? 'reporting' : 'connection'
      t.strictSame(rows, [
        { action: `${what}.paused`, actor: 'worker-a' },
        { action: `${what}.resumed`, actor: 'worker-a' },
      ])
    })

    t.test('refused on trial, is waited for as long as if it had never gone on', async (t) => {
      await pause(side)
      await probe(side, GOOD)

      await pause(side)

      const seconds = await secondsUntil(db, (await read()).row[at] ?? new Date(Number.NaN))
      t.ok(seconds > 55 && seconds <= 60, `in ${seconds} s`)
    })

    t.test('that was changed while it was tried is tried again, whatever was said of the one before', async (t) => {
      await pause(side)
      const { version } = await read()
      await sql`update connections set updated_at = updated_at + interval '1 second'`.execute(db)
      await probeSoon(db, 'acme')

      for (const answer of [GOOD, REFUSED]) {
        t.notOk(await settleProbe(db, { name: 'acme', side, version, actor: 'worker-a' }, answer))
      }

      t.strictSame(await findDueProbes(db, side), ['acme'])
    })

    t.test('is not blamed on a connection that was changed since', async (t) => {
      const { version } = await read()
      await sql`update connections set updated_at = updated_at + interval '1 second'`.execute(db)

      t.notOk(await pauseConnection(db, { name: 'acme', side, reason: 'who', version, actor: 'worker-a' }))
    })

    t.test('is not tried for an archived connection', async (t) => {
      await pause(side)
      await makeProbesDue()
      await setConnectionState(db, { name: 'acme', to: 'archived', reason: 'over', author: OPERATOR })

      t.strictSame(await findDueProbes(db, side), [])
    })
  })
}

t.test('an operator', async (t) => {
  t.test('who pauses has the last word: no probe ends it', async (t) => {
    await pause('deliveries')
    await setConnectionState(db, { name: 'acme', to: 'paused', reason: 'hands off', author: OPERATOR })
    await probeSoon(db, 'acme')

    t.strictSame(await findDueProbes(db, 'deliveries'), [])
    t.notOk(await probe('deliveries', GOOD))
    t.match((await read()).row, { state: 'paused', state_reason: 'hands off' })
  })

  t.test('who resumes lets deliveries go on on trial, and reporting with them', async (t) => {
    await pause('deliveries')
    await pause('reporting')

    const done = await setConnectionState(db, { name: 'acme', to: 'active', reason: undefined, author: OPERATOR })

    t.equal(done, 'changed')
    t.match((await read()).row, { state: 'active', refusals: 1, probe_at: null, reporting_state: 'active' })
  })

  t.test('resumes reporting of a connection that is active otherwise', async (t) => {
    await pause('reporting')
    const resume = () => setConnectionState(db, { name: 'acme', to: 'active', reason: undefined, author: OPERATOR })

    t.strictSame([await resume(), await resume()], ['changed', 'unchanged'])
    t.match((await read()).row, { reporting_state: 'active', reporting_reason: null, reporting_probe_at: null })
  })
})

t.test('either side goes on without the other', async (t) => {
  await storeDispatch(db, 'A-1')
  await deliver(db, 'T-1', {})
  await storeDispatch(db, 'A-2')
  await sql`update jobs set due_at = now()`.execute(db)

  await pause('reporting')
  t.strictSame([await claimable('report'), await claimable('deliver')], [0, 1])
  await sql`update jobs set leased_until = null, claimed_by = null`.execute(db)
  await setConnectionState(db, { name: 'acme', to: 'active', reason: undefined, author: OPERATOR })

  await pause('deliveries')
  t.strictSame([await claimable('report'), await claimable('deliver')], [1, 0])
})
