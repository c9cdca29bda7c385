// The integration family: what a provider uses. API keys only, snake_case in, camelCase out.
import type { FastifyInstance } from 'fastify'
import { ok, sendAnswer, type Answer } from '../answer.ts'
import { answerWithFault } from '../answer-with-fault.ts'
import type { Faults } from '../faults.ts'
import { callerOf, requireApiKey } from './authenticate.ts'
import { listIntegrationTasks } from './list-integration-tasks.ts'
import type { Query } from './list-page.ts'
import { refuse, retenErrorBody } from './refuse.ts'
import { registerResult, type ResultInput } from './register-result.ts'
import { integrationResultStatuses, toCoreStatus, type IntegrationResultStatus } from './result-words.ts'
import type { RetenState, Tenant } from './state.ts'

interface SubmitResultBody {
  readonly activity_id?: string
  readonly provider_activity_id?: string
  readonly commerce_external_id: string
  readonly occurred_at: string
  readonly status: IntegrationResultStatus
  readonly external_status?: string
  readonly hard_override?: boolean
  readonly raw_payload?: Readonly<Record<string, unknown>>
  readonly task_result: {
    readonly result: string
    readonly comment?: string
    readonly contact_type?: string
    readonly operator_external_id?: string
    readonly future_scheduled_at?: string
    readonly payload?: Readonly<Record<string, unknown>>
  }
}

const text = { type: 'string', minLength: 1 } as const
const time = { type: 'string', format: 'iso-8601' } as const

const submitResultSchema = {
  type: 'object',
  required: ['commerce_external_id', 'occurred_at', 'status', 'task_result'],
  properties: {
    activity_id: { type: 'string', format: 'uuid' },
    provider_activity_id: text,
    commerce_external_id: text,
    occurred_at: time,
    status: { enum: integrationResultStatuses },
    external_status: { type: 'string' },
    hard_override: { type: 'boolean' },
    raw_payload: { type: 'object' },
    task_result: {
      type: 'object',
      required: ['result'],
      properties: {
        result: text,
        comment: { type: 'string' },
        contact_type: { enum: ['INBOUND', 'OUTBOUND'] },
        operator_external_id: text,
        future_scheduled_at: time,
        payload: { type: 'object' },
      },
    },
  },
} as const

/** How the results endpoint misbehaves when a fault asks for it. */
export interface IntegrationRoutesOptions {
  readonly state: RetenState
  readonly faults: Faults
  readonly slowMs: number
  /** Told of every well-formed result that reaches the endpoint, whatever becomes of it. */
  readonly onResultRequest: () => void
}

/** Adds the three documented integration endpoints. */
export const addIntegrationRoutes = (app: FastifyInstance, options: IntegrationRoutesOptions): void => {
  const { state, faults } = options
  const canView = requireApiKey(state, 'VIEW_ACTIVITIES')
  const manners = { errorBody: retenErrorBody, slowMs: options.slowMs }

  app.get<{ Querystring: Query }>('/api/integration/activities/tasks', { onRequest: canView }, (request, reply) =>
    sendAnswer(reply, listIntegrationTasks(state, callerOf(request).tenant, request.query)),
  )

  app.get('/api/integration/task-result-type-configs', { onRequest: canView }, (request, reply) =>
    sendAnswer(reply, ok([...callerOf(request).tenant.resultTypes.values()])),
  )

  app.post<{ Body: SubmitResultBody }>(
    '/api/integration/activity-results/tasks',
    { onRequest: requireApiKey(state, 'SUBMIT_ACTIVITY_RESULT'), schema: { body: submitResultSchema } },
    (request, reply) => {
      const { body } = request
      options.onResultRequest()
      const fault = faults.draw('results', body.activity_id ?? body.provider_activity_id ?? '')
      return answerWithFault(reply, fault, manners, () => submitResult(state, callerOf(request).tenant, body))
    },
  )
}

const submitResult = (state: RetenState, tenant: Tenant, body: SubmitResultBody): Answer => {
  if (body.activity_id === undefined && body.provider_activity_id === undefined) {
    return refuse(400, 'activity_id or provider_activity_id is required')
  }
  const input: ResultInput = {
    activityId: body.activity_id,
    providerActivityId: body.provider_activity_id,
    commerceExternalId: body.commerce_external_id,
    coreStatus: toCoreStatus(body.status, state.switches),
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
    unmatched: state.switches.unmatchedActivity,
    needsFutureDate: true,
  }
  return registerResult(state, tenant, input)
}
