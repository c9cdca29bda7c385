import fc from 'fast-check'
import t from 'tap'
import { computeDispatchId, idempotencyKey, isUuid } from '../../src/dispatch/identity.ts'
import { holds } from '../support/holds.ts'

const ACTIVITY = '0B6F7F0E-3C1A-4F7E-9F55-6A2F1F6F0A11'
const connectionName = () => fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,20}$/)

t.test('computeDispatchId', async (t) => {
  t.test('answers the ids that earlier releases gave', async (t) => {
    t.equal(computeDispatchId('default', ACTIVITY), '85f06cc1-ab3b-849e-b6ad-f065a773b2f4')
    t.equal(computeDispatchId('default', 'A-1'), '8d55c9ad-f19e-8512-88e2-e35a9b654472')
  })

  t.test('takes two spellings of a UUID for one activity', async (t) => {
    t.equal(computeDispatchId('acme', ACTIVITY.toLowerCase()), computeDispatchId('acme', ACTIVITY))
  })

  t.test('takes two spellings of any other id for two activities', async (t) => {
    t.not(computeDispatchId('acme', 'a-1'), computeDispatchId('acme', 'A-1'))
  })

  t.test('answers a UUID of version 8 and of the RFC’s variant for any activity id', async (t) => {
    holds(
      t,
      fc.property(connectionName(), fc.string({ unit: 'binary', minLength: 1 }), (connection, activityId) => {
        const id = computeDispatchId(connection, activityId)
        return /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id) && isUuid(id)
      }),
    )
  })

  t.test('never mistakes one pair of connection and activity for another', async (t) => {
    const pair = () => fc.tuple(connectionName(), fc.string({ maxLength: 5 }))
    holds(
      t,
      fc.property(pair(), pair(), (one, other) => {
        fc.pre(one[0] !== other[0] || one[1] !== other[1])
        return computeDispatchId(...one) !== computeDispatchId(...other)
      }),
    )
  })
})

t.test('idempotencyKey', async (t) => {
  t.test('is the dispatch id itself until there is a revision', async (t) => {
    t.equal(idempotencyKey('an-id', 0), 'an-id')
    t.equal(idempotencyKey('an-id', 3), 'an-id-r3')
  })
})

t.test('isUuid', async (t) => {
  for (const text of ['', 'x', `${ACTIVITY}0`, ` ${ACTIVITY}`, `${ACTIVITY}\n`, ACTIVITY.replaceAll('-', '')]) {
    t.test(`refuses ${JSON.stringify(text)}`, async (t) => {
      t.notOk(isUuid(text))
    })
  }
})
