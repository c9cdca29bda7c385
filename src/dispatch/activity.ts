// Reten's unit of work, read from whatever shape it was pushed in. Everything beyond the two ids may be absent.

/** A catalogue word of Reten's: it travels as a plain string or as `{ code, label }`. */
export interface CodeAndLabel {
  readonly code?: string | undefined
  readonly label?: string | undefined
}

/** An activity, mapped; the bytes it was read from are kept beside it. Times are ISO 8601 as they were sent. */
export interface Activity {
  readonly activityId: string
  /** TASK, MESSAGE, or a word Reten adds one day; TASK where the body names none, the only type pushed today. */
  readonly type: string
  readonly channel?: string | undefined
  readonly commerceExternalId: string
  readonly commerceName?: string | undefined
  readonly operatorExternalId?: string | undefined
  readonly operatorName?: string | undefined
  readonly routeExternalId?: string | undefined
  readonly scheduledAt?: string | undefined
  readonly suggestedExecutionTime?: string | undefined
  readonly reason?: CodeAndLabel | undefined
  readonly userStatus?: CodeAndLabel | undefined
  readonly score?: number | undefined
  readonly assignmentReason?: string | undefined
  /** Attributes by key, from an array of `{ key, value }` or from an object. */
  readonly attributes: Readonly<Record<string, unknown>>
}

/** The type assumed where a body names none. Source: Reten's integration section covers TASK only. */
export const DEFAULT_ACTIVITY_TYPE = 'TASK'
