import t from 'tap'
import { startServices, stopServices } from '../src/services.ts'
import type { Service } from '../src/services.ts'
import { createListeningLogger } from './deliver/delivery-fixture.ts'

/** A service that notes what is done with it. */
function buildService(name: string, events: string[], overrides: Partial<Service> = {}): Service {
  return {
    name,
    start: () => void events.push(`${name} started`),
    stop: async () => void events.push(`${name} stopped`),
    fault: () => undefined,
    ...overrides,
  }
}

t.test('startServices', async (t) => {
  t.test('starts one after the other, in order', async (t) => {
    const events: string[] = []
    const slow = buildService('slow', events, {
      start: async () => {
        await new Promise((resolve) => setImmediate(resolve))
        events.push('slow started')
      },
    })

    await startServices([slow, buildService('next', events)])

    t.strictSame(events, ['slow started', 'next started'])
  })

  t.test('stops what it started where one does not start, and says why', async (t) => {
    const events: string[] = []
    const broken = buildService('broken', events, {
      start: () => {
        throw new Error('no way')
      },
    })
    const services = [buildService('one', events), buildService('two', events), broken, buildService('never', events)]

    await t.rejects(startServices(services), { message: 'no way' })

    t.strictSame(events, ['one started', 'two started', 'two stopped', 'one stopped'])
  })

  t.test('stops the others too where one of them does not stop, and still says why', async (t) => {
    const events: string[] = []
    const stuck = buildService('stuck', events, { stop: () => Promise.reject(new Error('cannot stop')) })
    const broken = buildService('broken', events, { start: () => Promise.reject(new Error('no way')) })

    await t.rejects(startServices([buildService('one', events), stuck, broken]), { message: 'no way' })

    t.strictSame(events, ['one started', 'stuck started', 'one stopped'])
  })
})

t.test('stopServices', async (t) => {
  t.test('stops them all', async (t) => {
    const events: string[] = []

    await stopServices(
      [buildService('one', events), buildService('two', events)],
      1_000,
      createListeningLogger().logger,
    )

    t.strictSame(events.toSorted(), ['one stopped', 'two stopped'])
  })

  t.test('leaves behind and tells of what does not stop in time, and of what cannot', async (t) => {
    const events: string[] = []
    const { logger, lines } = createListeningLogger()
    const stuck = buildService('stuck', events, { stop: () => new Promise(() => {}) })
    const broken = buildService('broken', events, { stop: () => Promise.reject(new Error('cannot stop')) })
    const rude = buildService('rude', events, {
      stop: () => {
        throw new Error('cannot even try')
      },
    })

    await stopServices([buildService('one', events), stuck, broken, rude, buildService('two', events)], 5, logger)

    t.strictSame(events.toSorted(), ['one stopped', 'two stopped'])
    t.strictSame(new Set(lines.map((line) => line['service'])), new Set(['broken', 'rude', 'stuck']))
    t.equal(lines.length, 3)
    t.ok(lines.every((line) => line['event'] === 'service.stop_failed' && line['level'] === 'error'))
  })
})
