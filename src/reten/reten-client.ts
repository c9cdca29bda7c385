// The three calls of Reten's integration API that a provider needs. One call is one request: no retries, no caches.
import { compileSchema } from '../schemas.ts'
import type { ResultAccepted, ResultSubmission, RetenResultTypes, RetenTaskList } from '../schema-types.ts'
import type { RetenAnswer } from './reten-answer.ts'
import { createRetenCall, toQueryString } from './reten-call.ts'
import type { RetenCallInput } from './reten-call.ts'

/** Filters of the list; what is absent is not sent. Times are ISO 8601. */
export interface RetenTaskQuery {
  /** From 1; Reten's default is 1. */
  readonly page?: number | undefined
  /** 1 to 100; Reten's default is 20. */
  readonly perPage?: number | undefined
  readonly status?: 'PENDING' | 'IN_PROGRESS' | 'COMPLETED' | 'CANCELLED' | undefined
  readonly resultStatus?: 'EFFECTIVE' | 'NOT_EFFECTIVE' | 'PENDING' | undefined
  readonly channel?: string | undefined
  readonly commerceExternalId?: string | undefined
  readonly operatorExternalId?: string | undefined
  readonly scheduledFrom?: string | undefined
  readonly scheduledTo?: string | undefined
}

export interface RetenClient {
  /** One page of the activities that the key can see. Needs VIEW_ACTIVITIES. */
  listTasks(query: RetenTaskQuery, signal: AbortSignal): Promise<RetenAnswer<RetenTaskList>>
  /** Tells what became of an activity. Needs SUBMIT_ACTIVITY_RESULT. */
  submitResult(submission: ResultSubmission, signal: AbortSignal): Promise<RetenAnswer<ResultAccepted>>
  /** The tenant's result types; also the documented way to try a key. Needs VIEW_ACTIVITIES. */
  listResultTypes(signal: AbortSignal): Promise<RetenAnswer<RetenResultTypes>>
}

export interface RetenClientInput extends Omit<RetenCallInput, 'credentials'> {
  /** `rtn_sk_…`; below `/integration` nothing else is accepted. */
  readonly apiKey: string
}

/** 100 rows of a list are some 100 KB; forty times that is no list. */
const MAX_LIST_BYTES = 4_194_304
const MAX_RESULT_BYTES = 262_144

/** Makes a client for one tenant's key. Calls nobody. */
export function createRetenClient(input: RetenClientInput): RetenClient {
  const call = createRetenCall({ ...input, credentials: { apiKey: input.apiKey } })
  const validateTasks = compileSchema<RetenTaskList>('reten-task-list')
  const validateTypes = compileSchema<RetenResultTypes>('reten-result-types')
  const validateAccepted = compileSchema<ResultAccepted>('result-accepted')

  return {
    listTasks: (query, signal) =>
      call(
        {
          path: `/api/integration/activities/tasks${queryOf(query)}`,
          maxResponseBytes: MAX_LIST_BYTES,
          validate: validateTasks,
        },
        signal,
      ),
    submitResult: (submission, signal) =>
      call(
        {
          path: '/api/integration/activity-results/tasks',
          body: submission,
          maxResponseBytes: MAX_RESULT_BYTES,
          validate: validateAccepted,
        },
        signal,
      ),
    listResultTypes: (signal) =>
      call(
        {
          path: '/api/integration/task-result-type-configs',
          maxResponseBytes: MAX_LIST_BYTES,
          validate: validateTypes,
        },
        signal,
      ),
  }
}

function queryOf(query: RetenTaskQuery): string {
  // Two of Reten's pages disagree on the name of the page size; `per_page` is that of this endpoint's own page.
  return toQueryString({
    page: query.page,
    per_page: query.perPage,
    status: query.status,
    result_status: query.resultStatus,
    channel: query.channel,
    external_commerce_id: query.commerceExternalId,
    external_operator_id: query.operatorExternalId,
    scheduled_from: query.scheduledFrom,
    scheduled_to: query.scheduledTo,
  })
}
