import fc from 'fast-check'
import t from 'tap'
import { AppError } from '../../src/errors.ts'
import { readProviderEvent } from '../../src/report/read-provider-event.ts'
import { holds } from '../support/holds.ts'

const BODY = {
  dispatchId: '85f06cc1-ab3b-849e-b6ad-f065a773b2f4',
  status: 'EFFECTIVE',
  result: 'SALE_COMPLETED',
  occurredAt: '2026-05-04T15:20:00.000Z',
}

/** The path of the first fault, or undefined where the body is an event. */
function faultOf(body: unknown): string | undefined {
  try {
    readProviderEvent(body)
    return undefined
  } catch (error) {
    if (error instanceof AppError && error.code === 'RCV_BODY_INVALID') return error.details?.[0]?.path ?? 'no path'
    throw error
  }
}

const without = (name: keyof typeof BODY): object => {
  const { [name]: _dropped, ...rest } = BODY
  return rest
}

const INSTANTS: Readonly<Record<string, string | undefined>> = {
  '2026-05-04T15:20:00Z': '2026-05-04T15:20:00.000Z',
  '2026-05-04T11:20:00-04:00': '2026-05-04T15:20:00.000Z',
  '2026-05-04T15:20:00.123456789Z': '2026-05-04T15:20:00.123Z',
  '0001-01-01T00:00:00Z': '0001-01-01T00:00:00.000Z',
  '9999-12-31T23:59:59Z': '9999-12-31T23:59:59.000Z',
  // What PostgreSQL or JavaScript could not hold, or what names no instant.
  '0000-12-31T23:59:59Z': undefined,
  '0001-01-01T00:00:00+14:00': undefined,
  '9999-12-31T23:59:59-12:00': undefined,
  '2016-12-31T23:59:60Z': undefined,
  '2026-02-30T12:00:00Z': undefined,
  '2026-05-04T15:20:00': undefined,
  '2026-05-04': undefined,
  yesterday: undefined,
  '': undefined,
}

t.test('readProviderEvent', async (t) => {
  t.test('reads all that a provider can tell', async (t) => {
    const event = readProviderEvent({
      ...BODY,
      activityId: 'A-1',
      providerTaskId: 'T-1',
      eventId: 'E-1',
      externalStatus: 'done',
      comment: 'sold',
      contactType: 'INBOUND',
      operatorExternalId: 'V-17',
      futureScheduledAt: '2030-01-01T00:00:00Z',
      anything: { else: true },
    })

    t.strictSame(event, {
      dispatchId: BODY.dispatchId,
      activityId: 'A-1',
      providerTaskId: 'T-1',
      content: {
        eventId: 'E-1',
        status: 'EFFECTIVE',
        code: 'SALE_COMPLETED',
        occurredAt: BODY.occurredAt,
        externalStatus: 'done',
        comment: 'sold',
        contactType: 'INBOUND',
        operatorExternalId: 'V-17',
        futureScheduledAt: '2030-01-01T00:00:00.000Z',
      },
    })
  })

  t.test('takes null for not told', async (t) => {
    const nothing = { eventId: null, externalStatus: null, comment: null, contactType: null, futureScheduledAt: null }
    const event = readProviderEvent({
      ...BODY,
      ...nothing,
      activityId: null,
      providerTaskId: null,
      operatorExternalId: null,
    })

    t.match(event, { activityId: undefined, content: { eventId: undefined, futureScheduledAt: undefined } })
  })

  t.test('takes an empty id for not told', async (t) => {
    t.match(readProviderEvent({ ...BODY, activityId: '', providerTaskId: '' }), {
      dispatchId: BODY.dispatchId,
      activityId: undefined,
      providerTaskId: undefined,
    })
  })

  for (const [text, instant] of Object.entries(INSTANTS)) {
    t.test(`${instant === undefined ? 'refuses' : 'reads'} the time ${JSON.stringify(text)}`, async (t) => {
      const body = { ...BODY, occurredAt: text }
      if (instant === undefined) t.equal(faultOf(body), '/occurredAt')
      else t.equal(readProviderEvent(body).content.occurredAt, instant)
    })
  }

  const FAULTS: readonly (readonly [sentence: string, body: unknown, path: string])[] = [
    ['no object', [BODY], ''],
    ['no status', without('status'), '/status'],
    ['no result', without('result'), '/result'],
    ['no time', without('occurredAt'), '/occurredAt'],
    ['none of the three ids', without('dispatchId'), '/dispatchId'],
    ['nothing but empty ids', { ...BODY, dispatchId: '', activityId: '', providerTaskId: '' }, '/dispatchId'],
    ['nothing but null ids', { ...BODY, dispatchId: null, activityId: null }, '/dispatchId'],
    ['a status of the other family', { ...BODY, status: 'COMPLETED' }, '/status'],
    ['an empty result', { ...BODY, result: '' }, '/result'],
    ['a number for a result', { ...BODY, result: 7 }, '/result'],
    ['an unheard-of contact', { ...BODY, contactType: 'SIDEWAYS' }, '/contactType'],
    ['a number for an id', { ...BODY, dispatchId: 7 }, '/dispatchId'],
    ['an endless id', { ...BODY, providerTaskId: 'x'.repeat(201) }, '/providerTaskId'],
    ['an endless comment', { ...BODY, comment: 'x'.repeat(10_001) }, '/comment'],
    ['U+0000 in an id of Reten’s', { ...BODY, activityId: 'a\u0000' }, '/activityId'],
    ['U+0000 in an id of the provider’s', { ...BODY, providerTaskId: 'a\u0000' }, '/providerTaskId'],
    ['U+0000 in an event’s id', { ...BODY, eventId: 'a\u0000' }, '/eventId'],
    ['U+0000 in a result', { ...BODY, result: 'a\u0000' }, '/result'],
    ['U+0000 in an operator’s id', { ...BODY, operatorExternalId: 'a\u0000' }, '/operatorExternalId'],
    ['half a character in an id', { ...BODY, activityId: 'a\ud800' }, '/activityId'],
    ['half a character in a result', { ...BODY, result: 'a\ud800' }, '/result'],
    ['no instant for the next visit', { ...BODY, futureScheduledAt: '2026-02-30T12:00:00Z' }, '/futureScheduledAt'],
  ]

  for (const [sentence, body, path] of FAULTS) {
    t.test(`refuses ${sentence}, and names the field`, async (t) => {
      t.equal(faultOf(body), path)
    })
  }

  t.test('leaves what people wrote as they wrote it', async (t) => {
    const comment = 'a\u0000b\ud800'

    t.equal(readProviderEvent({ ...BODY, comment }).content.comment, comment)
  })

  t.test('answers an event or names a fault, whatever comes', async (t) => {
    const fields = [...Object.keys(BODY), 'activityId', 'providerTaskId', 'eventId', 'contactType', 'futureScheduledAt']
    const change = fc.dictionary(fc.constantFrom(...fields), fc.jsonValue())
    holds(
      t,
      fc.property(
        fc.oneof(
          change.map((fields) => ({ ...BODY, ...fields })),
          fc.jsonValue(),
        ),
        (body) => {
          faultOf(body)
          return true
        },
      ),
    )
  })
})
