// One push, from its bytes to what is answered: read it, store it, and only then say so. No HTTP in here.
import type { Connection } from '../connection.ts'
import type { Activity } from '../dispatch/activity.ts'
import { computeDispatchId } from '../dispatch/identity.ts'
import { readActivity } from '../dispatch/read-activity.ts'
import { AppError } from '../errors.ts'
import type { ErrorCode, Fault } from '../errors.ts'
import { describeFault } from '../schemas.ts'
import type { UnreadableBody } from '../store/quarantine-body.ts'
import type { Inbox, Receipt } from './inbox.ts'
import { parseBody } from '../parse-body.ts'

/** A push as it came, authenticated. */
export interface Push {
  readonly connection: Connection
  readonly body: Buffer
  readonly contentType: string | undefined
  /** Absent where the bytes are the body itself. */
  readonly contentEncoding?: string | undefined
  readonly headers: Readonly<Record<string, string>>
}

/** `received`: stored, now or before. `quarantined`: stored, but an operator must say how to read it. */
export type Acceptance =
  | { readonly kind: 'received'; readonly receipt: Receipt; readonly dispatchId: string; readonly activityId: string }
  | {
      readonly kind: 'quarantined'
      readonly code: ErrorCode
      readonly dispatchId: string
      readonly activityId: string
      readonly faults: readonly Fault[]
    }

export interface AcceptDeps {
  readonly inbox: Pick<Inbox, 'submit'>
  readonly quarantine: (unreadable: UnreadableBody) => Promise<unknown>
}

/**
 * Takes a push in. Whatever it resolves or throws, the body is committed somewhere before, unless the error says that the
 * database could not be reached or that we are overloaded.
 * Throws RCV_BODY_NOT_JSON, RCV_BODY_NOT_OBJECT, RCV_BODY_TOO_DEEP, RCV_ACTIVITY_ID_MISSING, RCV_BODY_INVALID (where the
 * connection refuses unreadable bodies), RCV_CONTENT_TYPE, RCV_CONTENT_ENCODING, and the inbox's errors.
 */
export async function acceptDispatch(deps: AcceptDeps, push: Push): Promise<Acceptance> {
  if (!isJsonType(push.contentType)) {
    const said = push.contentType === undefined ? 'missing' : `"${push.contentType.slice(0, 100)}"`
    return refuse(deps, push, 'RCV_CONTENT_TYPE', `content-type is ${said} and must be application/json`, [])
  }
  const encoding = push.contentEncoding?.trim().toLowerCase() ?? ''
  if (encoding !== '' && encoding !== 'identity') {
    const message = `content-encoding is "${encoding.slice(0, 100)}" and must be absent`
    return refuse(deps, push, 'RCV_CONTENT_ENCODING', message, [])
  }
  const parsed = parseBody(push.body)
  if (!parsed.ok && parsed.value === undefined) return refuse(deps, push, parsed.code, parsed.message, [])
  const value = parsed.value ?? {}
  const reading = readActivity(value, push.connection.settings.fieldPaths)
  if (reading.kind === 'unidentified') {
    return refuse(deps, push, 'RCV_ACTIVITY_ID_MISSING', describe(reading.faults), reading.faults)
  }
  if (!parsed.ok) {
    const activityId = reading.kind === 'read' ? reading.activity.activityId : reading.activityId
    return setAside(deps, push, activityId, parsed.code, [{ path: '', message: parsed.message }])
  }
  if (reading.kind === 'incomplete') return setAside(deps, push, reading.activityId, 'RCV_BODY_INVALID', reading.faults)
  return take(deps, push, reading.activity)
}

async function take(deps: AcceptDeps, push: Push, activity: Activity): Promise<Acceptance> {
  const { name, settings } = push.connection
  const dispatchId = computeDispatchId(name, activity.activityId)
  const row = {
    id: dispatchId,
    connection: name,
    activityId: activity.activityId,
    type: activity.type,
    channel: activity.channel,
    commerceId: activity.commerceExternalId,
    operatorId: activity.operatorExternalId,
    scheduledAt: activity.scheduledAt,
    origin: 'pushed' as const,
    isForUs: activity.channel === undefined || (settings.channels?.includes(activity.channel) ?? true),
    headers: push.headers,
    body: push.body,
  }
  try {
    const receipt = await deps.inbox.submit(row, settings.onChangedBody)
    return { kind: 'received', receipt, dispatchId, activityId: activity.activityId }
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'RCV_BODY_INVALID') throw error
    return setAside(deps, push, activity.activityId, error.code, error.details ?? [])
  }
}

/** We can tell which activity it is, so we take responsibility for it, unless the connection wants it refused. */
async function setAside(
  deps: AcceptDeps,
  push: Push,
  activityId: string,
  code: ErrorCode,
  faults: readonly Fault[],
): Promise<Acceptance> {
  const dispatchId = computeDispatchId(push.connection.name, activityId)
  await deps.quarantine(unreadable(push, code, faults, activityId, dispatchId))
  if (push.connection.settings.onUnreadable === 'refuse')
    throw new AppError(code, describe(faults), { details: faults })
  return { kind: 'quarantined', code, dispatchId, activityId, faults }
}

/** We cannot tell which activity it is: refused, and kept all the same. */
async function refuse(
  deps: AcceptDeps,
  push: Push,
  code: ErrorCode,
  message: string,
  faults: readonly Fault[],
): Promise<never> {
  const kept = faults.length > 0 ? faults : [{ path: '', message }]
  await deps.quarantine(unreadable(push, code, kept, undefined, undefined))
  throw new AppError(code, message, { details: faults.length > 0 ? faults : undefined })
}

function unreadable(
  push: Push,
  code: ErrorCode,
  details: readonly Fault[],
  activityId: string | undefined,
  dispatchId: string | undefined,
): UnreadableBody {
  const { connection, body, contentType, headers } = push
  return { connection: connection.name, activityId, dispatchId, code, details, contentType, headers, body }
}

function describe(faults: readonly Fault[]): string {
  return faults.map((fault) => describeFault('body', fault)).join(', ')
}

function isJsonType(contentType: string | undefined): boolean {
  const [type] = contentType?.split(';', 1) ?? []
  return type !== undefined && /^application\/(json|[\w.+-]+\+json)$/i.test(type.trim())
}
