// What Reten's core API tells of activities. Documented for a user's token with its tenant; an API key is "also usable elsewhere",
// by Reten's own words, and that is what a connection has. One call is one request: no retries, no caches.
//
// Assumed, since no page shows it: the body of one activity (any object will do), and that ids are taken as they are, in one
// segment of the path.
import { compileSchema } from '../schemas.ts'
import type { RetenActivity, RetenActivityList, RetenAttributes, RetenStatusEvents } from '../schema-types.ts'
import type { RetenAnswer, RetenRefused } from './reten-answer.ts'
import { createRetenCall, toQueryString } from './reten-call.ts'
import type { RetenCallInput, RetenTarget } from './reten-call.ts'

/** Filters of the list; what is absent is not sent. Times are ISO 8601. */
export interface RetenActivityQuery {
  /** From 1; Reten's default is 1. */
  readonly page?: number | undefined
  /** 1 to 100; Reten's default is 25, or 20 by another page. The answer's `meta.limit` says what it took. */
  readonly pageSize?: number | undefined
  /** Two of Reten's pages disagree on the name of the page size; default `per_page`, that of the endpoint's own page. */
  readonly pageSizeName?: 'per_page' | 'limit' | undefined
  readonly search?: string | undefined
  readonly status?: string | undefined
  readonly type?: string | undefined
  readonly channel?: string | undefined
  /** Reten's own id of the commerce, not the external one. */
  readonly commerceId?: string | undefined
  readonly scheduledFrom?: string | undefined
  readonly scheduledTo?: string | undefined
}

/** Everything here needs VIEW_ACTIVITIES. */
export interface RetenActivitiesClient {
  /** One page of the tenant's activities. */
  listActivities(query: RetenActivityQuery, signal: AbortSignal): Promise<RetenAnswer<RetenActivityList>>
  readActivity(activityId: string, signal: AbortSignal): Promise<RetenAnswer<RetenActivity>>
  /** What happened to an activity, in the order Reten sends. */
  listStatusEvents(activityId: string, signal: AbortSignal): Promise<RetenAnswer<RetenStatusEvents>>
  /** The values Reten has for an activity; a key is named by its id alone. */
  listAttributes(activityId: string, signal: AbortSignal): Promise<RetenAnswer<RetenAttributes>>
}

/** 100 rows of a list are some 100 KB; forty times that is no list. */
const MAX_LIST_BYTES = 4_194_304
/** One activity, or what hangs on one: a value may be any JSON. */
const MAX_ACTIVITY_BYTES = 1_048_576

/** Makes a client. Calls nobody. */
export function createRetenActivitiesClient(input: RetenCallInput): RetenActivitiesClient {
  const call = createRetenCall(input)
  const validateList = compileSchema<RetenActivityList>('reten-activity-list')
  const validateActivity = compileSchema<RetenActivity>('reten-activity')
  const validateEvents = compileSchema<RetenStatusEvents>('reten-status-events')
  const validateAttributes = compileSchema<RetenAttributes>('reten-attributes')

  const read = async <T>(
    activityId: string,
    below: string,
    validate: RetenTarget<T>['validate'],
    signal: AbortSignal,
  ): Promise<RetenAnswer<T>> => {
    const path = `/api/activities/${encodeURIComponent(activityId)}${below}`
    if (isStep(activityId)) return refuseStep(path)
    return call({ path, validate, maxResponseBytes: MAX_ACTIVITY_BYTES }, signal)
  }

  return {
    listActivities: (query, signal) =>
      call(
        { path: `/api/activities${queryOf(query)}`, maxResponseBytes: MAX_LIST_BYTES, validate: validateList },
        signal,
      ),
    readActivity: (activityId, signal) => read(activityId, '', validateActivity, signal),
    listStatusEvents: (activityId, signal) => read(activityId, '/status-events', validateEvents, signal),
    listAttributes: (activityId, signal) => read(activityId, '/attributes', validateAttributes, signal),
  }
}

/** A URL's parser takes these for steps in the path, however they are spelled: another address would be called. */
function isStep(activityId: string): boolean {
  return activityId === '' || activityId === '.' || activityId === '..'
}

function refuseStep(path: string): RetenRefused {
  const message = 'Reten has no activity with such an id; it was not asked'
  return { kind: 'refused', status: 404, message, error: '', exchange: { request: `GET ${path}` } }
}

function queryOf(query: RetenActivityQuery): string {
  return toQueryString({
    page: query.page,
    [query.pageSizeName ?? 'per_page']: query.pageSize,
    search: query.search,
    status: query.status,
    type: query.type,
    channel: query.channel,
    commerce_id: query.commerceId,
    scheduled_from: query.scheduledFrom,
    scheduled_to: query.scheduledTo,
  })
}
