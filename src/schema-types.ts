// Generated from schemas/*.json by "npm run generate". Do not edit.

/**
 * Why the activity exists: a string or code and label.
 */
export type Word =
  | string
  | {
      /**
       * The word's code.
       */
      code?: string | null
      /**
       * The word as people read it.
       */
      label?: string | null
      [k: string]: unknown
    }
  | null
/**
 * Retention status of the user: a string or code and label.
 */
export type Word1 =
  | string
  | {
      /**
       * The word's code.
       */
      code?: string | null
      /**
       * The word as people read it.
       */
      label?: string | null
      [k: string]: unknown
    }
  | null
/**
 * Retention status of the user, snake_case.
 */
export type Word2 =
  | string
  | {
      /**
       * The word's code.
       */
      code?: string | null
      /**
       * The word as people read it.
       */
      label?: string | null
      [k: string]: unknown
    }
  | null
/**
 * The commerce, nested.
 */
export type Party = {
  /**
   * Its id in the tenant's own systems.
   */
  externalId?: string | null
  /**
   * Its external id, snake_case.
   */
  external_id?: string | null
  /**
   * Its name.
   */
  name?: string | null
  [k: string]: unknown
} | null
/**
 * The commerce, one level deeper.
 */
export type CommerceAssignment = {
  commerce?: Party1
  [k: string]: unknown
} | null
/**
 * The commerce.
 */
export type Party1 = {
  /**
   * Its id in the tenant's own systems.
   */
  externalId?: string | null
  /**
   * Its external id, snake_case.
   */
  external_id?: string | null
  /**
   * Its name.
   */
  name?: string | null
  [k: string]: unknown
} | null
/**
 * The commerce, one level deeper, snake_case.
 */
export type CommerceAssignment1 = {
  commerce?: Party1
  [k: string]: unknown
} | null
/**
 * The operator, nested.
 */
export type Party2 = {
  /**
   * Its id in the tenant's own systems.
   */
  externalId?: string | null
  /**
   * Its external id, snake_case.
   */
  external_id?: string | null
  /**
   * Its name.
   */
  name?: string | null
  [k: string]: unknown
} | null
/**
 * Where the operator may stand instead.
 */
export type TaskDetails = {
  assignedOperator?: Party3
  assigned_operator?: Party4
  assignedRoute?: Party5
  assigned_route?: Party6
  [k: string]: unknown
} | null
/**
 * The operator.
 */
export type Party3 = {
  /**
   * Its id in the tenant's own systems.
   */
  externalId?: string | null
  /**
   * Its external id, snake_case.
   */
  external_id?: string | null
  /**
   * Its name.
   */
  name?: string | null
  [k: string]: unknown
} | null
/**
 * The operator, snake_case.
 */
export type Party4 = {
  /**
   * Its id in the tenant's own systems.
   */
  externalId?: string | null
  /**
   * Its external id, snake_case.
   */
  external_id?: string | null
  /**
   * Its name.
   */
  name?: string | null
  [k: string]: unknown
} | null
/**
 * The route.
 */
export type Party5 = {
  /**
   * Its id in the tenant's own systems.
   */
  externalId?: string | null
  /**
   * Its external id, snake_case.
   */
  external_id?: string | null
  /**
   * Its name.
   */
  name?: string | null
  [k: string]: unknown
} | null
/**
 * The route, snake_case.
 */
export type Party6 = {
  /**
   * Its id in the tenant's own systems.
   */
  externalId?: string | null
  /**
   * Its external id, snake_case.
   */
  external_id?: string | null
  /**
   * Its name.
   */
  name?: string | null
  [k: string]: unknown
} | null
/**
 * Where the operator may stand instead, snake_case.
 */
export type TaskDetails1 = {
  assignedOperator?: Party3
  assigned_operator?: Party4
  assignedRoute?: Party5
  assigned_route?: Party6
  [k: string]: unknown
} | null
/**
 * The route, nested.
 */
export type Party7 = {
  /**
   * Its id in the tenant's own systems.
   */
  externalId?: string | null
  /**
   * Its external id, snake_case.
   */
  external_id?: string | null
  /**
   * Its name.
   */
  name?: string | null
  [k: string]: unknown
} | null

/**
 * An activity as Reten pushes it. Reten has not published this body: every spelling here is an assumption, read tolerantly. Known fields must have the right type; unknown fields are kept and never a fault. Which of the spellings is read, and that the two ids are there, is the mapping's business.
 */
export interface PushedActivity {
  /**
   * Reten's id of the activity.
   */
  activityId?: string | null
  /**
   * Reten's id of the activity, snake_case.
   */
  activity_id?: string | null
  /**
   * Reten's id of the activity, where activityId is absent; else it may mean anything.
   */
  id?: {
    [k: string]: unknown
  }
  /**
   * TASK or MESSAGE.
   */
  type?: string | null
  /**
   * SALESMAN, CALLCENTER, WHATSAPP, EMAIL, SMS or PUSH.
   */
  channel?: string | null
  /**
   * When the activity is to happen; it is pushed well before.
   */
  scheduledAt?: string | null
  /**
   * When the activity is to happen, snake_case.
   */
  scheduled_at?: string | null
  /**
   * When Reten would do it; free form.
   */
  suggestedExecutionTime?: string | null
  /**
   * When Reten would do it, snake_case.
   */
  suggested_execution_time?: string | null
  reason?: Word
  userStatus?: Word1
  user_status?: Word2
  /**
   * Reten's priority score.
   */
  score?: number | null
  /**
   * Why this operator.
   */
  assignmentReason?: string | null
  /**
   * Why this operator, snake_case.
   */
  assignment_reason?: string | null
  /**
   * The commerce's id in the tenant's own systems.
   */
  commerceExternalId?: string | null
  /**
   * The commerce's external id, snake_case.
   */
  commerce_external_id?: string | null
  /**
   * The commerce's name.
   */
  commerceName?: string | null
  /**
   * The commerce's name, snake_case.
   */
  commerce_name?: string | null
  commerce?: Party
  commerceAssignment?: CommerceAssignment
  commerce_assignment?: CommerceAssignment1
  /**
   * The operator's id in the tenant's own systems.
   */
  operatorExternalId?: string | null
  /**
   * The operator's external id, snake_case.
   */
  operator_external_id?: string | null
  /**
   * The operator's name.
   */
  operatorName?: string | null
  /**
   * The operator's name, snake_case.
   */
  operator_name?: string | null
  operator?: Party2
  taskDetails?: TaskDetails
  task_details?: TaskDetails1
  /**
   * The route's id in the tenant's own systems.
   */
  routeExternalId?: string | null
  /**
   * The route's external id, snake_case.
   */
  route_external_id?: string | null
  route?: Party7
  /**
   * Values Reten resolved for this activity: an array of key and value, or an object by key.
   */
  attributes?:
    | {
        /**
         * The attribute's key, e.g. commerce_info.
         */
        key: string
        /**
         * Any JSON value.
         */
        value?: {
          [k: string]: unknown
        }
        [k: string]: unknown
      }[]
    | {
        [k: string]: unknown
      }
    | null
  [k: string]: unknown
}

/**
 * The service's settings, from the environment or a .env file. Secrets may also come from a file, as NAME_FILE.
 */
export interface Environment {
  /**
   * production refuses the embedded database and the mock provider.
   */
  NODE_ENV?: string
  /**
   * PostgreSQL 14 or later. Default: an embedded one under .data/.
   */
  DATABASE_URL?: string
  /**
   * For LISTEN and migrations, when DATABASE_URL goes through a transaction pooler. Default: DATABASE_URL.
   */
  DATABASE_DIRECT_URL?: string
  /**
   * Connections to the database, half of them to accept and half to work; three more serve leases, readiness and LISTEN.
   */
  DATABASE_POOL_SIZE?: number
  /**
   * Address of the public listener.
   */
  HOST?: string
  /**
   * Port of the public listener.
   */
  PORT?: number
  /**
   * Address of the operators' listener.
   */
  OPS_HOST?: string
  /**
   * Port of the operators' listener.
   */
  OPS_PORT?: number
  /**
   * What this process does.
   */
  ROLE?: 'all' | 'http' | 'worker'
  /**
   * Number of proxies in front, or their addresses. Default: none.
   */
  TRUST_PROXY?: string
  /**
   * Bearer token of the admin API, 32 characters or more; several as name:role:token,…
   */
  ADMIN_TOKEN?: string
  /**
   * 32 bytes, base64; several as keyid:base64,…, the first encrypts.
   */
  SECRETS_KEY?: string
  /**
   * The least level that is logged.
   */
  LOG_LEVEL?: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
  /**
   * Dispatches per connection and minute on this instance; 0 = off.
   */
  RATE_LIMIT_PER_MINUTE?: number
  /**
   * Largest body that is read.
   */
  MAX_BODY_BYTES?: number
  /**
   * The key Reten calls us with; several separated by commas while rotating.
   */
  DISPATCH_API_KEY?: string
  /**
   * yom, webhook, mock, or the path of an adapter module.
   */
  PROVIDER?: string
  /**
   * Which Reten.
   */
  RETEN_ENVIRONMENT?: '' | 'production' | 'staging' | 'development' | 'local'
  /**
   * Reten's origin without /api, instead of RETEN_ENVIRONMENT.
   */
  RETEN_BASE_URL?: string
  /**
   * rtn_sk_…, with VIEW_ACTIVITIES and SUBMIT_ACTIVITY_RESULT.
   */
  RETEN_API_KEY?: string
  /**
   * Base URL of YOM's API.
   */
  YOM_BASE_URL?: string
  /**
   * Static key for YOM.
   */
  YOM_API_KEY?: string
  /**
   * Client id for YOM's token grant.
   */
  YOM_CLIENT_ID?: string
  /**
   * Client secret for YOM's token grant.
   */
  YOM_CLIENT_SECRET?: string
  /**
   * Path of YOM's task endpoint; an assumption.
   */
  YOM_TASK_PATH?: string
  /**
   * How YOM recognises a repeat: by our idempotency key (default), by a search for our id, or not at all; an assumption.
   */
  YOM_IDEMPOTENCY?: '' | 'key' | 'lookup' | 'none'
  /**
   * Where the webhook adapter POSTs activities.
   */
  WEBHOOK_URL?: string
  /**
   * Bearer token the webhook adapter sends.
   */
  WEBHOOK_AUTH_TOKEN?: string
  /**
   * The token the provider calls POST /webhooks/{provider} with.
   */
  WEBHOOK_TOKEN?: string
  /**
   * Settings of the environment's connection, as JSON.
   */
  CONNECTION_SETTINGS?: string
  [k: string]: unknown
}

/**
 * A result code.
 */
export type Code = string

/**
 * How one connection behaves; what is absent has its default.
 */
export interface ConnectionSettings {
  /**
   * Channels this connection delivers; others are stored and marked not for us. Default: all.
   *
   * @minItems 1
   */
  channels?: [string, ...string[]]
  /**
   * Deliveries at once, over all instances. Default 4.
   */
  max_in_flight?: number
  /**
   * Deliveries begun in a second, over all instances, with bursts of one second's worth (at least one). Default: no limit.
   */
  rate_per_second?: number
  /**
   * Seconds to wait after each try. Default: the built-in table, about a day.
   *
   * @minItems 1
   * @maxItems 50
   */
  retry_delays?: [number, ...number[]]
  /**
   * Seconds after the later of delivery and scheduledAt without a word of the provider's, from which a result is overdue. Default 172800, two days.
   */
  result_overdue_after?: number
  /**
   * commerce: at most one unfinished delivery per commerce, in order of arrival, over all instances. Default none.
   */
  ordering?: 'none' | 'commerce'
  /**
   * With ordering = commerce: whether a failed dispatch holds up its commerce until it is skipped, replayed or discarded. Default true.
   */
  failed_blocks?: boolean
  /**
   * Answer 202 and keep it in quarantine, or refuse with 400. Default accept.
   */
  on_unreadable?: 'accept' | 'refuse'
  /**
   * What a repeat with another body does. Default keep.
   */
  on_changed_body?: 'keep' | 'redeliver'
  /**
   * Whether activities that never reached us are looked for in Reten's list. Default true, and false on the embedded database.
   */
  reconcile?: boolean
  /**
   * Only activities created at Reten after this instant are taken from its list. Default: when the connection was added.
   */
  reconcile_from?: string
  /**
   * Reten pushes nothing: its list is the only source, and activities are taken from it at once. Default false.
   */
  pull_only?: boolean
  /**
   * The provider's result codes and the tenant's at Reten for them, both case-sensitive. A code that is not here is told as it is. A result whose code is none of the tenant's waits until it is.
   */
  result_map?: {
    [k: string]: Code
  }
  /**
   * Tell Reten of each delivery by a PENDING result, with the code of pending_result; the final one then goes with hard_override. Default false.
   */
  acknowledge_with_pending?: boolean
  /**
   * A result code.
   */
  pending_result?: string
  /**
   * What Reten is told when a delivery is given up or refused: nothing, or NOT_EFFECTIVE with this code. Default nothing.
   */
  on_give_up?:
    | Code
    | {
        code: Code
        /**
         * Told as external_status. Default: why it failed, e.g. gave_up.
         */
        external_status?: string
      }
  /**
   * JSON Pointers that say where this tenant's bodies hold a field; a field named here is read from there alone.
   */
  field_paths?: {
    /**
     * Reten's id of the activity.
     */
    activity_id?: string
    /**
     * TASK or MESSAGE.
     */
    type?: string
    /**
     * The channel.
     */
    channel?: string
    /**
     * The commerce's external id.
     */
    commerce_external_id?: string
    /**
     * The commerce's name.
     */
    commerce_name?: string
    /**
     * The operator's external id.
     */
    operator_external_id?: string
    /**
     * The operator's name.
     */
    operator_name?: string
    /**
     * The route's external id.
     */
    route_external_id?: string
    /**
     * When it is to happen.
     */
    scheduled_at?: string
    /**
     * When Reten would do it.
     */
    suggested_execution_time?: string
    /**
     * Why it exists.
     */
    reason?: string
    /**
     * Retention status of the user.
     */
    user_status?: string
    /**
     * Priority score.
     */
    score?: string
    /**
     * Why this operator.
     */
    assignment_reason?: string
    /**
     * Attributes.
     */
    attributes?: string
  }
}

/**
 * Our answer to a pushed activity. The id stands under two names because Reten has not said which one it reads.
 */
export interface DispatchAnswer {
  /**
   * The dispatch id: the same for every repeat of the activity.
   */
  id: string
  /**
   * The same id again, as Reten's results endpoint names it.
   */
  providerActivityId: string
  /**
   * Reten's id of the activity, as it was sent.
   */
  activityId: string
  /**
   * RECEIVED: committed, will be delivered. QUARANTINED: committed, waits for an operator.
   */
  status: 'RECEIVED' | 'QUARANTINED'
  /**
   * With QUARANTINED: what could not be read.
   */
  details?: FaultEntry[]
  /**
   * With QUARANTINED: our id of the request, as in the log.
   */
  requestId?: string
}

/**
 * Every error answer: Reten's and Fastify's shape, plus a stable code and, for validation, one entry per fault.
 */
export interface ErrorAnswer {
  /**
   * The HTTP status.
   */
  statusCode: number
  /**
   * The status's name.
   */
  error: string
  /**
   * Stable code, explained in docs/errors.md.
   */
  code: string
  /**
   * What happened and with which value.
   */
  message: string
  /**
   * One entry per fault, where the error is about a body, a query or settings.
   */
  details?: FaultEntry[]
  /**
   * Our id of the request, as in the log.
   */
  requestId: string
}
/**
 * One fault.
 */
export interface FaultEntry {
  /**
   * JSON Pointer to the field, or a parameter's name.
   */
  path: string
  /**
   * What is wrong there.
   */
  message: string
}

/**
 * The default body of a provider's webhook: what became of one activity.
 */
export type ProviderEventBody = (
  | {
      dispatchId: string
      [k: string]: unknown
    }
  | {
      activityId: string
      [k: string]: unknown
    }
  | {
      providerTaskId: string
      [k: string]: unknown
    }
) & {
  /**
   * Our id, as the provider got it with the delivery.
   */
  dispatchId?: string | null
  /**
   * Reten's id of the activity.
   */
  activityId?: string | null
  /**
   * The provider's own id of the task.
   */
  providerTaskId?: string | null
  /**
   * The provider's id of this event; makes repeats harmless.
   */
  eventId?: string | null
  /**
   * The outcome in Reten's words.
   */
  status: 'EFFECTIVE' | 'NOT_EFFECTIVE' | 'PENDING'
  /**
   * The result's code.
   */
  result: string
  /**
   * When it happened, with its zone; may be hours ago.
   */
  occurredAt: string
  /**
   * The provider's own status text.
   */
  externalStatus?: string | null
  /**
   * Free text.
   */
  comment?: string | null
  /**
   * Who called whom.
   */
  contactType?: 'INBOUND' | 'OUTBOUND' | null
  /**
   * Who did it.
   */
  operatorExternalId?: string | null
  /**
   * When it is to be tried again.
   */
  futureScheduledAt?: string | null
  [k: string]: unknown
}

/**
 * Reten's answer to a result; only the id is certain.
 */
export interface ResultAccepted {
  /**
   * Reten's id of the result.
   */
  id: string
  [k: string]: unknown
}

/**
 * What we POST to Reten's /api/integration/activity-results/tasks. Source: Reten's documentation of that endpoint.
 */
export interface ResultSubmission {
  /**
   * Reten's id of the activity; wins where both ids are sent.
   */
  activity_id: string
  /**
   * Our dispatch id.
   */
  provider_activity_id: string
  /**
   * The commerce's external id.
   */
  commerce_external_id: string
  /**
   * When the provider handled it, ISO 8601.
   */
  occurred_at: string
  /**
   * The outcome in Reten's words.
   */
  status: 'EFFECTIVE' | 'NOT_EFFECTIVE' | 'PENDING'
  /**
   * The provider's own status text.
   */
  external_status?: string
  /**
   * Overwrite a result that Reten already holds.
   */
  hard_override?: boolean
  /**
   * Stored untouched by Reten.
   */
  raw_payload?: {
    [k: string]: unknown
  }
  /**
   * The result itself.
   */
  task_result: {
    /**
     * A code of the tenant's result types.
     */
    result: string
    /**
     * Free text.
     */
    comment?: string
    /**
     * Who called whom.
     */
    contact_type?: 'INBOUND' | 'OUTBOUND'
    /**
     * Who did it.
     */
    operator_external_id?: string
    /**
     * ISO 8601, in the future; needed where the code's type says so.
     */
    future_scheduled_at?: string
    /**
     * Extra data.
     */
    payload?: {
      [k: string]: unknown
    }
  }
}

/**
 * Answer of GET /api/activities.
 */
export interface RetenActivityList {
  /**
   * One page of rows.
   */
  data: RetenActivityRow[]
  /**
   * Paging.
   */
  meta: {
    /**
     * This page, from 1.
     */
    page?: number
    /**
     * Rows per page.
     */
    limit?: number
    /**
     * Rows in all.
     */
    total?: number
    /**
     * Pages in all.
     */
    totalPages?: number
    [k: string]: unknown
  }
  [k: string]: unknown
}
/**
 * One activity as the core list shows it.
 */
export interface RetenActivityRow {
  /**
   * Reten's id of the activity.
   */
  id: string
  /**
   * TASK or MESSAGE.
   */
  type?: string | null
  /**
   * SALESMAN, CALLCENTER, …
   */
  channel?: string | null
  /**
   * READY, UNRESOLVED, DISPATCHED, COMPLETED, CANCELED or FAILED; other words are tolerated.
   */
  status?: string | null
  /**
   * ISO 8601.
   */
  scheduledAt?: string | null
  /**
   * A text or { code, label }: Reten's pages disagree.
   */
  reason?:
    | string
    | {
        [k: string]: unknown
      }
    | null
  /**
   * A text or { code, label }: Reten's pages disagree.
   */
  userStatus?:
    | string
    | {
        [k: string]: unknown
      }
    | null
  /**
   * { commerceId, commerce: { name } }.
   */
  commerceAssignment?: {
    [k: string]: unknown
  } | null
  [k: string]: unknown
}

/**
 * Answer of GET /api/activities/:id. Its documentation was never seen: assumed to be an object with the fields of the list's rows among others, none of them sure to be there.
 */
export interface RetenActivity {
  /**
   * Reten's id of the activity.
   */
  id?: string | null
  /**
   * TASK or MESSAGE.
   */
  type?: string | null
  /**
   * SALESMAN, CALLCENTER, …
   */
  channel?: string | null
  /**
   * READY, UNRESOLVED, DISPATCHED, COMPLETED, CANCELED or FAILED; other words are tolerated.
   */
  status?: string | null
  /**
   * ISO 8601.
   */
  scheduledAt?: string | null
  /**
   * A text or { code, label }: Reten's pages disagree.
   */
  reason?:
    | string
    | {
        [k: string]: unknown
      }
    | null
  /**
   * A text or { code, label }: Reten's pages disagree.
   */
  userStatus?:
    | string
    | {
        [k: string]: unknown
      }
    | null
  /**
   * { commerceId, commerce: { name } }.
   */
  commerceAssignment?: {
    [k: string]: unknown
  } | null
  [k: string]: unknown
}

/**
 * Answer of GET /api/activities/:id/attributes: a bare array.
 */
export type RetenAttributes = RetenAttribute[]

/**
 * One attribute of an activity.
 */
export interface RetenAttribute {
  /**
   * Reten's id of this value.
   */
  id?: string | null
  /**
   * The activity it belongs to.
   */
  activityId?: string | null
  /**
   * Reten's id of the key; the answer does not hold the key's name.
   */
  attributeKeyId: string
  /**
   * Any JSON; null while it is not resolved.
   */
  value?: {
    [k: string]: unknown
  }
  /**
   * PENDING, RESOLVED, FAILED or FALLBACK.
   */
  resolutionStatus?: string | null
  /**
   * E.g. INTERNAL_SERVICE.
   */
  resolverType?: string | null
  /**
   * ISO 8601.
   */
  resolvedAt?: string | null
  /**
   * Why it could not be resolved.
   */
  errorMessage?: string | null
  /**
   * ISO 8601.
   */
  createdAt?: string | null
  /**
   * ISO 8601.
   */
  updatedAt?: string | null
  [k: string]: unknown
}

/**
 * Answer of GET /api/dispatch-configs: a bare array; credentials are never in it.
 */
export type RetenDispatchConfigs = RetenDispatchConfig[]

/**
 * Where one tenant's activities of one channel are pushed to.
 */
export interface RetenDispatchConfig {
  /**
   * SALESMAN, CALLCENTER, …
   */
  channel?: string | null
  /**
   * Reten appends /activities to it.
   */
  baseUrl: string | null
  /**
   * Only an active one is dispatched to.
   */
  isActive: boolean
  /**
   * The provider as Reten knows it.
   */
  dispatchProvider?: {
    /**
     * Its code, e.g. YOM.
     */
    code?: string | null
    [k: string]: unknown
  } | null
  [k: string]: unknown
}

/**
 * Answer of GET /api/integration/task-result-type-configs: a bare array; the codes are the tenant's own.
 */
export type RetenResultTypes = RetenResultType[]

/**
 * One result type of the tenant.
 */
export interface RetenResultType {
  /**
   * What goes into task_result.result; case-sensitive.
   */
  code: string
  /**
   * What a person reads, in Spanish.
   */
  label?: string | null
  /**
   * Whether future_scheduled_at is compulsory.
   */
  requiresFutureScheduledAt?: boolean | null
  [k: string]: unknown
}

/**
 * Answer of GET /api/activities/:id/status-events: a bare array; its order is undocumented.
 */
export type RetenStatusEvents = RetenStatusEvent[]

/**
 * One step in an activity's life.
 */
export interface RetenStatusEvent {
  /**
   * Reten's id of the event.
   */
  id?: string | null
  /**
   * CREATED, DISPATCH_ATTEMPT, DISPATCH_SUCCESS, DISPATCH_FAILED, …
   */
  eventType: string
  /**
   * Null in the first event.
   */
  fromStatus?: string | null
  /**
   * The status it led to.
   */
  toStatus?: string | null
  /**
   * Null where all went well.
   */
  errorCode?: string | null
  /**
   * The same, in words.
   */
  errorMessage?: string | null
  /**
   * ISO 8601.
   */
  occurredAt?: string | null
  [k: string]: unknown
}

/**
 * Answer of GET /api/integration/activities/tasks. Reten's documentation is cut inside the sample row: only these fields are known.
 */
export interface RetenTaskList {
  /**
   * One page of rows.
   */
  data: RetenTaskRow[]
  /**
   * Paging.
   */
  meta: {
    /**
     * This page, from 1.
     */
    page?: number
    /**
     * Rows per page.
     */
    limit?: number
    /**
     * Rows in all.
     */
    total?: number
    /**
     * Pages in all.
     */
    totalPages?: number
    [k: string]: unknown
  }
  [k: string]: unknown
}
/**
 * One activity as the integration list shows it.
 */
export interface RetenTaskRow {
  /**
   * Reten's id of the activity.
   */
  id: string
  /**
   * ACTIVITY, or a word not seen yet.
   */
  activityOrigin?: string | null
  /**
   * TASK.
   */
  type?: string | null
  /**
   * PENDING, IN_PROGRESS, COMPLETED or CANCELLED; other words are tolerated.
   */
  status?: string | null
  /**
   * SALESMAN, CALLCENTER, …
   */
  channel?: string | null
  /**
   * ISO 8601.
   */
  scheduledAt?: string | null
  /**
   * ISO 8601; null before a result.
   */
  occurredAt?: string | null
  /**
   * ISO 8601.
   */
  createdAt?: string | null
  /**
   * Assumed: EFFECTIVE, NOT_EFFECTIVE or PENDING.
   */
  resultStatus?: string | null
  /**
   * E.g. SCHEDULED.
   */
  lifecycleStatus?: string | null
  /**
   * The same for people, in Spanish.
   */
  lifecycleStatusLabel?: string | null
  /**
   * Text or null.
   */
  lifecycleStatusDetail?: string | null
  /**
   * Whether Reten's panel offers a forced dispatch.
   */
  canForceRetryDispatch?: boolean | null
  /**
   * The commerce's external id.
   */
  commerceExternalId?: string | null
  /**
   * The commerce's name.
   */
  commerceName?: string | null
  /**
   * Assumed: the id that the provider answered the dispatch with.
   */
  providerActivityId?: string | null
  /**
   * Assumed: the operator's external id.
   */
  operatorExternalId?: string | null
  [k: string]: unknown
}
