import t from 'tap'
import type { RetenAnswer } from '../../src/reten/reten-answer.ts'
import { createResultTypesReader } from '../../src/reten/result-types.ts'
import type { RetenResultTypes } from '../../src/schema-types.ts'

type Answer = RetenAnswer<RetenResultTypes>

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

const typesNamed = (...codes: readonly string[]): Answer => ({
  kind: 'ok',
  status: 200,
  value: codes.map((code) => ({ code })),
  exchange: {},
})
const UNAVAILABLE: Answer = { kind: 'unavailable', code: 'http_503', message: 'no', isSent: true, exchange: {} }
const REFUSED: Answer = { kind: 'refused', status: 401, message: 'no', error: 'Unauthorized', exchange: {} }

const never = (): AbortSignal => new AbortController().signal

/** A reader whose Reten gives `answers` one after another, the last one for ever. */
const buildReader = (...answers: readonly Answer[]) => {
  const clock = { nowMs: 0, now: () => clock.nowMs }
  let asked = 0
  const listResultTypes = (): Promise<Answer> => {
    const answer = answers[Math.min(asked, answers.length - 1)] ?? UNAVAILABLE
    asked += 1
    return Promise.resolve(answer)
  }
  return { reader: createResultTypesReader({ client: { listResultTypes }, clock }), clock, asked: () => asked }
}

t.test('createResultTypesReader', async (t) => {
  t.test('asks once in five minutes', async (t) => {
    const { reader, clock, asked } = buildReader(typesNamed('OLD'), typesNamed('NEW'))

    t.match(await reader.read(never()), { kind: 'ok', value: [{ code: 'OLD' }], isStale: false })
    clock.nowMs = 5 * MINUTE_MS - 1
    t.match(await reader.read(never()), { value: [{ code: 'OLD' }], isStale: false })
    t.equal(asked(), 1)

    clock.nowMs = 5 * MINUTE_MS
    t.match(await reader.read(never()), { value: [{ code: 'NEW' }], isStale: false })
    t.equal(asked(), 2)
  })

  t.test('asks once for readers that wait together', async (t) => {
    const { reader, asked } = buildReader(typesNamed('A'))

    await Promise.all([reader.read(never()), reader.read(never()), reader.refresh(never())])

    t.equal(asked(), 1)
  })

  t.test('asks at once on refresh', async (t) => {
    const { reader } = buildReader(typesNamed('OLD'), typesNamed('OLD', 'NEW'))

    await reader.read(never())

    t.match(await reader.refresh(never()), { value: [{ code: 'OLD' }, { code: 'NEW' }] })
  })

  t.test('gives out the old list, marked as stale, while Reten is away or refuses', async (t) => {
    for (const fault of [UNAVAILABLE, REFUSED]) {
      const { reader, clock } = buildReader(typesNamed('OLD'), fault)

      await reader.read(never())
      clock.nowMs = 23 * HOUR_MS

      t.match(await reader.read(never()), { kind: 'ok', value: [{ code: 'OLD' }], isStale: true })
    }
  })

  t.test('does not ask every time while Reten is away', async (t) => {
    const { reader, clock, asked } = buildReader(typesNamed('OLD'), UNAVAILABLE, typesNamed('NEW'))
    await reader.read(never())
    clock.nowMs = 5 * MINUTE_MS
    await reader.read(never())

    t.match(await reader.read(never()), { value: [{ code: 'OLD' }], isStale: true })
    t.equal(asked(), 2)

    clock.nowMs += 30_000
    t.match(await reader.read(never()), { value: [{ code: 'NEW' }], isStale: false })
    t.equal(asked(), 3)
  })

  t.test('says why it has no list, when it never had one or it is a day old', async (t) => {
    const fresh = buildReader(UNAVAILABLE)
    t.match(await fresh.reader.read(never()), { kind: 'unavailable', code: 'http_503' })

    const old = buildReader(typesNamed('OLD'), REFUSED)
    await old.reader.read(never())
    old.clock.nowMs = 24 * HOUR_MS
    t.match(await old.reader.read(never()), { kind: 'refused', status: 401 })
  })

  t.test('ends the wait of one reader without ending the question for another', async (t) => {
    const answer = Promise.withResolvers<Answer>()
    const client = { listResultTypes: () => answer.promise }
    const reader = createResultTypesReader({ client, clock: { now: () => 0 } })
    const giveUp = new AbortController()
    const impatient = reader.read(giveUp.signal)
    const patient = reader.read(never())

    giveUp.abort()
    t.match(await impatient, { kind: 'unavailable', code: 'aborted', isSent: false })
    answer.resolve(typesNamed('A'))

    t.match(await patient, { kind: 'ok' })
  })

  t.test('ends the question when it closes', async (t) => {
    const client = {
      listResultTypes: (signal: AbortSignal) =>
        new Promise<Answer>((resolve) => signal.addEventListener('abort', () => resolve(UNAVAILABLE))),
    }
    const reader = createResultTypesReader({ client, clock: { now: () => 0 } })
    const reading = reader.read(never())

    reader.close()

    t.match(await reading, { kind: 'unavailable' })
  })
})
