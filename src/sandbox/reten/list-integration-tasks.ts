import { ok, type Answer } from '../answer.ts'
import {
  describeIntegrationRow,
  integrationResultOf,
  integrationStatusOf,
  integrationStatuses,
} from './integration-rows.ts'
import { cutPage, queryText, readPageRequest, type Query } from './list-page.ts'
import { channels, type Activity } from './records.ts'
import { refuse } from './refuse.ts'
import { integrationResultStatuses } from './result-words.ts'
import type { RetenState, Tenant } from './state.ts'

type Matches = (activity: Activity) => boolean

/** One page of a tenant's tasks, filtered by all the documented parameters; a value outside its list is 400. */
export const listIntegrationTasks = (state: RetenState, tenant: Tenant, query: Query): Answer => {
  const page = readPageRequest(query, 20)
  if ('statusCode' in page) return page
  const refusal = checkFilters(query)
  if (refusal !== undefined) return refusal
  const rows = [...tenant.activities.values()]
  if (state.switches.listOrder === 'newest') rows.reverse()
  const matches = buildFilter(state, query)
  return ok(cutPage(rows, matches, (activity) => describeIntegrationRow(activity, state.switches), page))
}

const checkFilters = (query: Query): Answer | undefined => {
  const allowed: Readonly<Record<string, readonly string[]>> = {
    // Both spellings occur in the documentation.
    status: [...integrationStatuses, 'CANCELED'],
    result_status: integrationResultStatuses,
    channel: channels,
  }
  for (const [name, values] of Object.entries(allowed)) {
    const value = queryText(query, name)
    if (value !== undefined && !values.includes(value)) {
      return refuse(400, `${name} must be one of the following values: ${values.join(', ')}`)
    }
  }
  for (const name of ['scheduled_from', 'scheduled_to']) {
    const value = queryText(query, name)
    if (value !== undefined && Number.isNaN(Date.parse(value))) return refuse(400, `${name} must be an ISO 8601 date`)
  }
  return undefined
}

const buildFilter = (state: RetenState, query: Query): Matches => {
  const status = queryText(query, 'status')
  const wantedStatus = status === 'CANCELED' ? 'CANCELLED' : status
  const wantedResult = queryText(query, 'result_status')
  const channel = queryText(query, 'channel')
  const commerce = queryText(query, 'external_commerce_id')
  const operator = queryText(query, 'external_operator_id')
  const fromMs = Date.parse(queryText(query, 'scheduled_from') ?? '0000-01-01')
  const toMs = Date.parse(queryText(query, 'scheduled_to') ?? '9999-12-31')
  return (activity) => {
    // The integration section is for tasks only.
    if (activity.type !== 'TASK') return false
    const listedAs = integrationStatusOf(activity, state.switches)
    const scheduledMs = Date.parse(activity.scheduledAt)
    return (
      listedAs !== undefined &&
      isOrAny(wantedStatus, listedAs) &&
      isOrAny(wantedResult, integrationResultOf(activity)) &&
      isOrAny(channel, activity.channel) &&
      isOrAny(commerce, activity.commerce.externalId) &&
      isOrAny(operator, activity.operator?.externalId) &&
      scheduledMs >= fromMs &&
      scheduledMs <= toMs
    )
  }
}

const isOrAny = (wanted: string | undefined, value: string | undefined): boolean =>
  wanted === undefined || wanted === value
