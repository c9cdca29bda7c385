// Reten has not published the body it pushes: whatever shape comes, the same activity must be read from it.
import fc from 'fast-check'
import t from 'tap'
import { ACTIVITY_FIELDS } from '../../src/dispatch/activity-fields.ts'
import type { FieldPaths } from '../../src/dispatch/activity-fields.ts'
import { ACTIVITY_FIELD_NAMES, readActivity } from '../../src/dispatch/read-activity.ts'
import type { JsonObject } from '../../src/dispatch/read-activity.ts'

const ID = '0b6f7f0e-3c1a-4f7e-9f55-6a2f1f6f0a11'

const expected = {
  activityId: ID,
  type: 'TASK',
  channel: 'SALESMAN',
  commerceExternalId: 'C-1042',
  commerceName: 'Almacen Sur',
  operatorExternalId: 'V-17',
  operatorName: 'Ana Rojas',
  routeExternalId: 'R-05',
  scheduledAt: '2026-05-04T13:00:00.000Z',
  suggestedExecutionTime: 'morning',
  reason: { code: 'retention' },
  userStatus: { code: 'at_risk' },
  score: 72,
  assignmentReason: 'nearest',
  attributes: { commerce_info: { segment: 'B' } },
}

const plain = { type: 'TASK', channel: 'SALESMAN', reason: 'retention', score: 72 }
const attributes = [{ key: 'commerce_info', value: { segment: 'B' } }]
const camelTimes = { scheduledAt: expected.scheduledAt, suggestedExecutionTime: 'morning' }
const snakeTimes = { scheduled_at: expected.scheduledAt, suggested_execution_time: 'morning' }
const camelWords = { userStatus: 'at_risk', assignmentReason: 'nearest' }
const snakeWords = { user_status: 'at_risk', assignment_reason: 'nearest' }
const commerce = { externalId: 'C-1042', name: 'Almacen Sur' }
const operator = { externalId: 'V-17', name: 'Ana Rojas' }
const route = { externalId: 'R-05' }
const snakeCommerce = { external_id: 'C-1042', name: 'Almacen Sur' }
const snakeOperator = { external_id: 'V-17', name: 'Ana Rojas' }
const snakeRoute = { external_id: 'R-05' }

const SHAPES: Readonly<Record<string, JsonObject>> = {
  'flat camelCase': {
    activityId: ID,
    commerceExternalId: 'C-1042',
    commerceName: 'Almacen Sur',
    routeExternalId: 'R-05',
    operatorExternalId: 'V-17',
    operatorName: 'Ana Rojas',
    ...plain,
    ...camelTimes,
    ...camelWords,
    attributes,
  },
  'flat snake_case': {
    activity_id: ID,
    commerce_external_id: 'C-1042',
    commerce_name: 'Almacen Sur',
    route_external_id: 'R-05',
    operator_external_id: 'V-17',
    operator_name: 'Ana Rojas',
    ...plain,
    ...snakeTimes,
    ...snakeWords,
    attributes,
  },
  'nested camelCase': { id: ID, commerce, operator, route, ...plain, ...camelTimes, ...camelWords, attributes },
  'nested snake_case': {
    id: ID,
    commerce: snakeCommerce,
    operator: snakeOperator,
    route: snakeRoute,
    ...plain,
    ...snakeTimes,
    ...snakeWords,
    attributes,
  },
  'deeply nested camelCase': {
    id: ID,
    commerceAssignment: { commerce },
    taskDetails: { assignedOperator: operator, assignedRoute: route },
    ...plain,
    ...camelTimes,
    ...camelWords,
    attributes,
  },
  'deeply nested snake_case': {
    id: ID,
    commerce_assignment: { commerce: snakeCommerce },
    task_details: { assigned_operator: snakeOperator, assigned_route: snakeRoute },
    ...plain,
    ...snakeTimes,
    ...snakeWords,
    attributes,
  },
  'deeply nested, both cases mixed': {
    id: ID,
    commerceAssignment: { commerce: snakeCommerce },
    taskDetails: { assigned_operator: snakeOperator, assignedRoute: snakeRoute },
    ...plain,
    ...camelTimes,
    ...snakeWords,
    attributes,
  },
  'snake_case holding camelCase': {
    id: ID,
    commerce_assignment: { commerce },
    task_details: { assignedOperator: operator, assigned_route: route },
    ...plain,
    ...snakeTimes,
    ...camelWords,
    attributes,
  },
  'attributes as an object by key': {
    id: ID,
    commerce,
    operator,
    route,
    ...plain,
    ...camelTimes,
    ...camelWords,
    attributes: { commerce_info: { segment: 'B' } },
  },
  'nulls under every other spelling': {
    id: ID,
    activityId: null,
    activity_id: null,
    commerceExternalId: null,
    commerce_external_id: null,
    commerceName: null,
    commerce_name: null,
    commerceAssignment: null,
    commerce_assignment: null,
    operatorExternalId: null,
    operator_external_id: null,
    operatorName: null,
    operator_name: null,
    taskDetails: null,
    task_details: null,
    routeExternalId: null,
    route_external_id: null,
    scheduledAt: null,
    suggestedExecutionTime: null,
    userStatus: null,
    assignmentReason: null,
    commerce: { externalId: null, external_id: 'C-1042', name: 'Almacen Sur' },
    operator,
    route,
    ...plain,
    ...snakeTimes,
    ...snakeWords,
    attributes,
  },
  'fields nobody knows': {
    id: ID,
    commerce: { ...commerce, taxId: '76000000-0', addresses: [{ street: 'Sur 1' }] },
    operator: { ...operator, type: 'SALESMAN', phone: 1 },
    route: { ...route, id: 'c3b2' },
    tenant: { id: 4 },
    idempotencyKey: [1, 2],
    targetUser: { roles: [] },
    'a/b~c': '',
    ...plain,
    ...camelTimes,
    ...camelWords,
    attributes,
  },
}

void t.test('readActivity', async (t) => {
  for (const [shape, body] of Object.entries(SHAPES)) {
    await t.test(`reads ${shape}`, async (t) => {
      t.same(readActivity(body, undefined), { kind: 'read', activity: expected })
    })
  }

  await t.test('reads words as code and label, whole or in part', async (t) => {
    const body = {
      id: ID,
      commerce,
      reason: { code: 'retention', label: 'Retencion', since: 3 },
      userStatus: { label: 'x' },
    }

    const reading = readActivity(body, undefined)

    t.match(reading, { kind: 'read', activity: { reason: { code: 'retention', label: 'Retencion' } } })
    t.match(reading, { kind: 'read', activity: { userStatus: { code: undefined, label: 'x' } } })
  })

  await t.test('needs nothing beyond the two ids', async (t) => {
    const body = {
      id: ID,
      commerceExternalId: 'C-1042',
      type: null,
      channel: null,
      scheduledAt: null,
      reason: null,
      userStatus: null,
      score: null,
      operator: null,
      route: null,
      commerce: null,
      attributes: null,
    }

    const reading = readActivity(body, undefined)

    t.match(reading, { kind: 'read', activity: { activityId: ID, type: 'TASK', attributes: {} } })
    t.match(reading, { kind: 'read', activity: { channel: undefined, scheduledAt: undefined, score: undefined } })
  })

  await t.test('takes activityId before id, whatever id then means', async (t) => {
    for (const id of [77, { of: 'a row' }, '', 'x'.repeat(500)]) {
      const reading = readActivity({ activityId: ID, id, commerce }, undefined)

      t.match(reading, { kind: 'read', activity: { activityId: ID } })
    }
  })

  await t.test('names the field at fault where the activity is known and the rest is not', async (t) => {
    const faulty: readonly (readonly [JsonObject, string])[] = [
      [{ id: ID }, '/commerceExternalId'],
      [{ id: ID, commerce: { externalId: null } }, '/commerceExternalId'],
      [{ id: ID, commerce: { externalId: 7 } }, '/commerce/externalId'],
      [{ id: ID, commerce: { externalId: '' } }, '/commerce/externalId'],
      [{ id: ID, commerce: { externalId: 'C\u0000' } }, '/commerce/externalId'],
      [{ id: ID, commerce: { externalId: 'C\ud800' } }, '/commerce/externalId'],
      [{ id: ID, commerceExternalId: 'C'.repeat(201) }, '/commerceExternalId'],
      [{ id: ID, commerce, operator: { externalId: '\udc00' } }, '/operator/externalId'],
      [{ id: ID, commerce, type: 'T\u0000' }, '/type'],
      [{ id: ID, commerce, channel: '\ud83d' }, '/channel'],
      [{ id: ID, commerce, channel: ['SALESMAN'] }, '/channel'],
      [{ id: ID, commerce, scheduledAt: '2026-05-04' }, '/scheduledAt'],
      [{ id: ID, commerce, scheduledAt: '2026-05-04T13:00:00' }, '/scheduledAt'],
      [{ id: ID, commerce, scheduled_at: 1777900000 }, '/scheduled_at'],
      [{ id: ID, commerce, score: '72' }, '/score'],
      [{ id: ID, commerce, score: Number.POSITIVE_INFINITY }, '/score'],
      [{ id: ID, commerce: 'C-1042' }, '/commerce'],
      [{ id: ID, commerce, attributes: [{ value: 1 }] }, '/attributes/0/key'],
    ]

    for (const [body, path] of faulty) {
      t.match(readActivity(body, undefined), { kind: 'incomplete', activityId: ID, faults: [{ path }] }, path)
    }
  })

  await t.test('tells which activity it is only by a text that can stand for one', async (t) => {
    const ids: readonly (readonly [unknown, string])[] = [
      [undefined, 'is required'],
      [null, 'is required'],
      ['', 'must not be empty'],
      [12, 'must be a string'],
      [{ id: 'x' }, 'must be a string'],
      ['x'.repeat(201), 'must not be longer than 200 characters'],
      ['a\u0000b', 'must not hold U+0000'],
      ['a\ud800', 'must not hold a lone surrogate'],
      ['\udc00a', 'must not hold a lone surrogate'],
    ]

    for (const [id, message] of ids) {
      t.match(readActivity({ activityId: id, commerce }, undefined), { kind: 'unidentified', faults: [{ message }] })
    }
  })

  await t.test('keeps what only looks like trouble in an id', async (t) => {
    for (const id of ['x'.repeat(200), '\u{1f600}', ' a ', 'a\nb', '__proto__', 'constructor', '\u2028']) {
      t.match(readActivity({ id, commerce }, undefined), { kind: 'read', activity: { activityId: id } })
    }
  })

  await t.test('is not led by names that objects inherit', async (t) => {
    const inherited: JsonObject = Object.create({ id: ID, commerceExternalId: 'C-1042' })

    t.match(readActivity(inherited, undefined), { kind: 'unidentified' })
    t.same(Object.keys(attributesOf({ __proto__: 1 })), [])
    t.same(Object.keys(attributesOf(JSON.parse('[{"key":"__proto__","value":{"polluted":true}}]'))), ['__proto__'])
    t.equal(Object.hasOwn(Object.prototype, 'polluted'), false)
  })
})

function attributesOf(value: unknown): Readonly<Record<string, unknown>> {
  const reading = readActivity({ id: ID, commerce, attributes: value }, undefined)
  return reading.kind === 'read' ? reading.activity.attributes : {}
}

void t.test('any JSON object', async (t) => {
  const names = [
    ...new Set(Object.values(ACTIVITY_FIELDS).flatMap((paths) => paths.flat())),
    ...['__proto__', 'constructor', 'toString', 'code', 'label', 'key', 'value', ''],
  ]
  const value = fc.letrec((tie) => ({
    any: fc.oneof({ maxDepth: 4 }, fc.jsonValue(), fc.string({ unit: 'binary' }), tie('object'), fc.array(tie('any'))),
    object: fc.dictionary(fc.constantFrom(...names), tie('any')),
  }))
  const pointer = fc.array(fc.constantFrom(...names)).map((path) => path.map((name) => `/${name}`).join('') || '/x')
  const paths = fc.option(fc.dictionary(fc.constantFrom(...ACTIVITY_FIELD_NAMES), pointer), { nil: undefined })

  await t.test('is read, or said to be unreadable, without a throw and without being changed', async (t) => {
    const property = fc.property(value.object, paths, (body, fieldPaths) => {
      const before = JSON.stringify(body)
      const reading = readActivity(body, fieldPaths)
      if (JSON.stringify(body) !== before) return false
      if (reading.kind !== 'read') return reading.faults.every((fault) => fault.message !== '')
      const { activityId, commerceExternalId } = reading.activity
      return [activityId, commerceExternalId].every((id) => id !== '' && id.isWellFormed() && !id.includes('\u0000'))
    })

    t.doesNotThrow(() => fc.assert(property, { numRuns: 150 }))
  })
})

void t.test('field_paths', async (t) => {
  const repairs: readonly (readonly [string, JsonObject, FieldPaths, Record<string, unknown>])[] = [
    [
      'find ids anywhere',
      { payload: { ref: ID, store: { code: 'C-1' } }, rep: { no: 'V-1' } },
      { activity_id: '/payload/ref', commerce_external_id: '/payload/store/code', operator_external_id: '/rep/no' },
      { activityId: ID, commerceExternalId: 'C-1', operatorExternalId: 'V-1' },
    ],
    [
      'read a plain value under a name that usually holds an object',
      { id: ID, commerce: 'C-1', operator: 'V-1', route: 'R-1' },
      { commerce_external_id: '/commerce', operator_external_id: '/operator', route_external_id: '/route' },
      { commerceExternalId: 'C-1', operatorExternalId: 'V-1', routeExternalId: 'R-1' },
    ],
    [
      'read a plain value one level down, under a name that usually holds an object',
      {
        id: ID,
        commerceAssignment: { commerce: 'C-1' },
        taskDetails: { assignedOperator: 'V-1', assignedRoute: 'R-1' },
      },
      {
        commerce_external_id: '/commerceAssignment/commerce',
        operator_external_id: '/taskDetails/assignedOperator',
        route_external_id: '/taskDetails/assignedRoute',
      },
      { commerceExternalId: 'C-1', operatorExternalId: 'V-1', routeExternalId: 'R-1' },
    ],
    [
      'read one field from where another usually stands',
      { id: ID, commerceExternalId: 'V-1', operator: { externalId: 'C-1' } },
      { commerce_external_id: '/operator/externalId', operator_external_id: '/commerceExternalId' },
      { commerceExternalId: 'C-1', operatorExternalId: 'V-1' },
    ],
    [
      'read out of arrays',
      { id: ID, commerce: [{ code: 'C-1' }, { code: 'C-2' }] },
      { commerce_external_id: '/commerce/1/code' },
      { commerceExternalId: 'C-2' },
    ],
    [
      'undo the escapes of JSON Pointer',
      { id: ID, 'a/b': { 'c~d': 'C-1' }, '~1': 'V-1', '': 'R-1' },
      { commerce_external_id: '/a~1b/c~0d', operator_external_id: '/~01', route_external_id: '/' },
      { commerceExternalId: 'C-1', operatorExternalId: 'V-1', routeExternalId: 'R-1' },
    ],
    [
      'replace the built-in spellings, also where they hold another value',
      { id: ID, commerceExternalId: 'wrong', commerce: { externalId: 'wrong too', code: 'C-1' } },
      { commerce_external_id: '/commerce/code' },
      { commerceExternalId: 'C-1' },
    ],
    [
      'cover every other field',
      {
        id: ID,
        v: { t: 'MESSAGE', c: 'SMS', n: 'Sur', o: 'Ana', at: expected.scheduledAt, w: 'noon', r: 'why' },
        w: { u: { code: 'churned' }, s: 3, a: 'near', x: { promo: 1 } },
        commerceExternalId: 'C-1',
      },
      {
        type: '/v/t',
        channel: '/v/c',
        commerce_name: '/v/n',
        operator_name: '/v/o',
        scheduled_at: '/v/at',
        suggested_execution_time: '/v/w',
        reason: '/v/r',
        user_status: '/w/u',
        score: '/w/s',
        assignment_reason: '/w/a',
        attributes: '/w/x',
      },
      {
        type: 'MESSAGE',
        channel: 'SMS',
        commerceName: 'Sur',
        operatorName: 'Ana',
        suggestedExecutionTime: 'noon',
        reason: { code: 'why' },
        userStatus: { code: 'churned' },
        score: 3,
        assignmentReason: 'near',
        attributes: { promo: 1 },
        scheduledAt: expected.scheduledAt,
      },
    ],
  ]
  for (const [sentence, body, paths, found] of repairs) {
    await t.test(sentence, async (t) => {
      const before = structuredClone(body)

      t.match(readActivity(body, paths), { kind: 'read', activity: found })
      t.same(body, before, 'leaves the body as it was')
    })
  }

  await t.test('leave a field absent where their place is empty, whatever the built-in spellings hold', async (t) => {
    const body = { id: ID, commerceExternalId: 'C-1', operatorExternalId: 'wrong' }

    t.match(readActivity(body, { operator_external_id: '/nowhere/to/be/found' }), {
      activity: { operatorExternalId: undefined },
    })
    t.match(readActivity(body, { commerce_external_id: '/nowhere' }), { kind: 'incomplete', activityId: ID })
    t.match(readActivity(body, { activity_id: '/__proto__/id' }), { kind: 'unidentified' })
    t.match(readActivity(body, { activity_id: '/constructor/name' }), { kind: 'unidentified' })
  })
})
