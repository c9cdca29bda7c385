// The three calls of Reten's integration API that a provider needs. One call is one request: no retries, no caches.
import { createExcerpt } from '../http-answer.ts'
import { HttpFault } from '../http-client.ts'
import type { HttpClient } from '../http-client.ts'
import { compileSchema } from '../schemas.ts'
import type { Validated } from '../schemas.ts'
import type { ResultAccepted, ResultSubmission, RetenResultTypes, RetenTaskList } from '../schema-types.ts'
import { SECOND_MS, systemClock } from '../time.ts'
import type { Clock } from '../time.ts'
import { readRetenAnswer, readRetenFault } from './reten-answer.ts'
import type { RetenAnswer } from './reten-answer.ts'

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

export interface RetenClientInput {
  /** An origin of `RETEN_ENVIRONMENTS` or another; without `/api`, which is tolerated, as are trailing slashes. */
  readonly baseUrl: string
  /** `rtn_sk_…`. */
  readonly apiKey: string
  readonly http: HttpClient
  /** For one call in all; default 10,000. */
  readonly timeoutMs?: number | undefined
  /** Default: the system's. */
  readonly clock?: Clock | undefined
}

interface Call<T> {
  readonly path: string
  readonly body?: unknown
  readonly maxResponseBytes: number
  readonly validate: (value: unknown) => Validated<T>
}

/** Reten answers from one database; what takes longer is not coming. */
const TIMEOUT_MS = 10 * SECOND_MS
/** 100 rows of a list are some 100 KB; forty times that is no list. */
const MAX_LIST_BYTES = 4_194_304
const MAX_RESULT_BYTES = 262_144

/** Makes a client for one tenant's key. Calls nobody. */
export function createRetenClient(input: RetenClientInput): RetenClient {
  const { apiKey, http } = input
  const baseUrl = input.baseUrl.replace(/\/+$/, '').replace(/\/api$/, '')
  const clock = input.clock ?? systemClock
  const excerpt = createExcerpt([apiKey])
  const validateTasks = compileSchema<RetenTaskList>('reten-task-list')
  const validateTypes = compileSchema<RetenResultTypes>('reten-result-types')
  const validateAccepted = compileSchema<ResultAccepted>('result-accepted')

  const call = async <T>(target: Call<T>, signal: AbortSignal): Promise<RetenAnswer<T>> => {
    const { path, validate, maxResponseBytes } = target
    const method = target.body === undefined ? 'GET' : 'POST'
    const body = target.body === undefined ? undefined : JSON.stringify(target.body)
    const request = excerpt(`${method} ${path}${body === undefined ? '' : `\n${body}`}`)
    try {
      const answer = await http.request({
        method,
        url: baseUrl + path,
        headers: {
          'x-api-key': apiKey,
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body,
        timeoutMs: input.timeoutMs ?? TIMEOUT_MS,
        maxResponseBytes,
        signal,
      })
      return readRetenAnswer({ answer, validate, nowMs: clock.now(), request, excerpt })
    } catch (error) {
      if (!(error instanceof HttpFault)) throw error
      return readRetenFault(error, request)
    }
  }

  return {
    listTasks: (query, signal) =>
      call(
        {
          path: `/api/integration/activities/tasks${toQueryString(query)}`,
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

function toQueryString(query: RetenTaskQuery): string {
  // Two of Reten's pages disagree on the name of the page size; `per_page` is that of this endpoint's own page.
  const named = {
    page: query.page,
    per_page: query.perPage,
    status: query.status,
    result_status: query.resultStatus,
    channel: query.channel,
    external_commerce_id: query.commerceExternalId,
    external_operator_id: query.operatorExternalId,
    scheduled_from: query.scheduledFrom,
    scheduled_to: query.scheduledTo,
  }
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(named)) if (value !== undefined) parameters.set(name, String(value))
  return parameters.size === 0 ? '' : `?${parameters.toString()}`
}
