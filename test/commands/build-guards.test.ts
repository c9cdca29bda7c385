import t from 'tap'
import { FAULTS_TO_OPEN } from '../../src/breakers.ts'
import { buildGuards } from '../../src/commands/build-guards.ts'
import { createSilentLogger } from '../../src/logger.ts'
import { systemClock } from '../../src/time.ts'
import { openLedger, until } from '../support/ledger.ts'

const { db } = await openLedger(t)

const ALIVE = new AbortController().signal
const ACME = { name: 'acme', version: '1' }

const build = () => buildGuards({ db, clock: systemClock, random: () => 0, logger: createSilentLogger() })

void t.test('buildGuards', async (t) => {
  await t.test(
    'shows the breakers of each connection, those of its deliveries apart from those of its reports',
    async (t) => {
      const guards = build()
      for (let time = 0; time < FAULTS_TO_OPEN; time += 1) {
        const fault = { kind: 'ambiguous', code: 'timeout', message: 'no answer' } as const
        await guards.deliver.breakers.run(ACME, async () => fault, ALIVE)
      }

      t.same(guards.sample([{ name: 'acme' }, { name: 'other' }]), [
        { connection: 'acme', kind: 'deliver', state: 'open' },
        { connection: 'acme', kind: 'report', state: 'closed' },
        { connection: 'other', kind: 'deliver', state: 'closed' },
        { connection: 'other', kind: 'report', state: 'closed' },
      ])
      t.match(guards.fault(), /^deliver: acme failed 5 times in a row$/)
    },
  )

  await t.test('has no fault to tell while everybody answers, whatever the answer', async (t) => {
    const guards = build()
    for (let time = 0; time < 2 * FAULTS_TO_OPEN; time += 1) {
      const answer = { kind: 'refused', status: 400, message: 'no', error: 'Bad Request', exchange: {} } as const
      await guards.report.breakers.run(ACME, async () => answer, ALIVE)
    }

    t.equal(guards.fault(), undefined)
  })

  await t.test('tells the other instances of a wish to wait, each kind for itself', async (t) => {
    const guards = build()
    guards.report.holdOffs.hold('acme', 60_000)

    await until(async () => (await db.selectFrom('connection_budgets').selectAll().execute()).length === 1)

    t.match(await db.selectFrom('connection_budgets').selectAll().execute(), [
      { connection: 'acme', kind: 'report', closed_until: Date, tokens: null },
    ])
    t.equal(guards.deliver.holdOffs.remainingMs('acme'), 0)
  })
})
