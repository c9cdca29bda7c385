// Results in the core family: a user's token, words of its own, and both documented spellings of the body.
import type { FastifyInstance } from 'fastify'
import { sendAnswer } from '../answer.ts'
import { callerOf, requireUser } from './authenticate.ts'
import { coreResultStatuses, type CoreResultStatus } from './records.ts'
import { registerResult, type ResultInput } from './register-result.ts'
import type { RetenState } from './state.ts'

/** The guide's body: snake_case with a nested task_result. */
interface NestedBody {
  readonly activity_id?: string
  readonly provider_activity_id?: string
  readonly commerce_external_id: string
  readonly occurred_at: string
  readonly status: CoreResultStatus
  readonly external_status?: string
  readonly hard_override?: boolean
  readonly raw_payload?: unknown
  readonly task_result: {
    readonly result: string
    readonly comment?: string
    readonly contact_type?: string
    readonly operator_external_id?: string
    readonly future_scheduled_at?: string
    readonly payload?: unknown
  }
}

/** The other page's body: flat camelCase, the code optional. */
interface FlatBody {
  readonly activityId?: string
  readonly providerActivityId?: string
  readonly commerceExternalId: string
  readonly occurredAt: string
  readonly status: CoreResultStatus
  readonly resultTypeCode?: string
  readonly comment?: string
  readonly contactDirection?: string
  readonly operatorExternalId?: string
  readonly rawPayload?: unknown
  readonly hardOverride?: boolean
}

const text = { type: 'string', minLength: 1 } as const
const uuid = { type: 'string', format: 'uuid' } as const
const time = { type: 'string', format: 'iso-8601' } as const
const status = { enum: coreResultStatuses } as const
const direction = { enum: ['INBOUND', 'OUTBOUND'] } as const

const nestedSchema = {
  type: 'object',
  required: ['commerce_external_id', 'occurred_at', 'status', 'task_result'],
  properties: {
    activity_id: uuid,
    provider_activity_id: text,
    commerce_external_id: text,
    occurred_at: time,
    status,
    hard_override: { type: 'boolean' },
    task_result: {
      type: 'object',
      required: ['result'],
      properties: { result: text, comment: { type: 'string' }, contact_type: direction, future_scheduled_at: time },
    },
  },
} as const

const flatSchema = {
  type: 'object',
  required: ['commerceExternalId', 'occurredAt', 'status'],
  properties: {
    activityId: uuid,
    providerActivityId: text,
    commerceExternalId: text,
    occurredAt: time,
    status,
    resultTypeCode: text,
    comment: { type: 'string' },
    contactDirection: direction,
    hardOverride: { type: 'boolean' },
  },
} as const

// A body with the one spelling's commerce is judged as that, so that a fault is named in the caller's own words.
const bodySchema = {
  if: { type: 'object', required: ['commerceExternalId'] },
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema, and nobody awaits a schema
  then: flatSchema,
  else: nestedSchema,
} as const

/** Adds `POST /api/activity-results/tasks`. */
export const addCoreResultRoutes = (app: FastifyInstance, state: RetenState): void => {
  app.post<{ Body: NestedBody | FlatBody }>(
    '/api/activity-results/tasks',
    { onRequest: requireUser(state, 'CREATE_ACTIVITY'), schema: { body: bodySchema } },
    (request, reply) => sendAnswer(reply, registerResult(state, callerOf(request).tenant, toInput(request.body))),
  )
}

// No activity is no fault here: the guide says that a result of its own is created.
const common = { unmatched: 'standalone', needsFutureDate: false } as const

const toInput = (body: NestedBody | FlatBody): ResultInput =>
  'commerceExternalId' in body
    ? {
        ...common,
        activityId: body.activityId,
        providerActivityId: body.providerActivityId,
        commerceExternalId: body.commerceExternalId,
        coreStatus: body.status,
        resultStatus: body.status,
        occurredAt: body.occurredAt,
        externalStatus: undefined,
        isHardOverride: body.hardOverride ?? false,
        rawPayload: body.rawPayload,
        details: {
          result: body.resultTypeCode ?? null,
          comment: body.comment ?? null,
          contactType: body.contactDirection ?? null,
          operatorExternalId: body.operatorExternalId ?? null,
          futureScheduledAt: null,
          payload: null,
        },
      }
    : {
        ...common,
        activityId: body.activity_id,
        providerActivityId: body.provider_activity_id,
        commerceExternalId: body.commerce_external_id,
        coreStatus: body.status,
        resultStatus: body.status,
        occurredAt: body.occurred_at,
        externalStatus: body.external_status,
        isHardOverride: body.hard_override ?? false,
        rawPayload: body.raw_payload,
        details: {
          result: body.task_result.result,
          comment: body.task_result.comment ?? null,
          contactType: body.task_result.contact_type ?? null,
          operatorExternalId: body.task_result.operator_external_id ?? null,
          futureScheduledAt: body.task_result.future_scheduled_at ?? null,
          payload: body.task_result.payload ?? null,
        },
      }
