import t from 'tap'
import { createRescueService } from '../../src/store/rescue-service.ts'
import { createListeningLogger } from '../deliver/delivery-fixture.ts'
import { claimOne, deliver, expireLeases, openLedger, storeDispatch } from '../support/ledger.ts'

const { db } = await openLedger(t)

function setUp() {
  const { logger, lines } = createListeningLogger()
  const calendar = { nowMs: 1_000_000 }
  const told: string[] = []
  const service = createRescueService({
    ...{ db, logger, now: () => calendar.nowMs },
    onRescued: () => told.push('due'),
    onUnproven: (connection) => told.push(`unproven ${connection}`),
  })
  return { service, calendar, told, lines }
}

async function loseOne(): Promise<void> {
  await storeDispatch(db)
  await claimOne(db)
  await expireLeases(db)
}

t.test('createRescueService', async (t) => {
  t.test('rescues from its start, and says so', async (t) => {
    await loseOne()
    const { service, told, lines } = setUp()

    t.match(await service.runOnce(), { rescued: 1 })

    t.same(told, ['due'])
    t.match(lines, [{ event: 'jobs.rescued', count: 1 }])
  })

  t.test('says which results it sets aside, and counts them', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, undefined, {})
    await claimOne(db, 'report')
    await db.updateTable('jobs').set({ crashes: 2 }).execute()
    await expireLeases(db)
    const { service, told, lines } = setUp()

    await service.runOnce()

    t.same(told, ['unproven acme'])
    t.match(lines, [{ event: 'result.failed', level: 'error', dispatchId: id, connection: 'acme', state: 'unproven' }])
  })

  t.test('lets the living come first when the database was away, once', async (t) => {
    const { service, calendar, told } = setUp()
    await service.runOnce()
    await loseOne()

    calendar.nowMs += 30_000
    t.equal(await service.runOnce(), undefined)
    calendar.nowMs += 2_000
    t.equal(await service.runOnce(), undefined)
    t.same(told, [])

    calendar.nowMs += 5_000
    t.match(await service.runOnce(), { rescued: 1 })
  })

  t.test('rescues all the same where every answer takes long', async (t) => {
    const { service, calendar } = setUp()
    await service.runOnce()
    await loseOne()
    calendar.nowMs += 10_000
    t.equal(await service.runOnce(), undefined)

    calendar.nowMs += 10_000

    t.match(await service.runOnce(), { rescued: 1 })
  })

  t.test('tells of each dispatch that is set aside', async (t) => {
    await loseOne()
    await db.updateTable('jobs').set({ crashes: 2 }).execute()
    const { service, lines } = setUp()

    await service.runOnce()

    t.match(lines, [{ level: 'error', event: 'delivery.gave_up', code: 'crashed_worker' }])
  })
})
