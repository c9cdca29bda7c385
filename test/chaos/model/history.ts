// One history: a connection of its own in a world, everything that was sent over it, what was answered, and what was done to
// it that explains an ending other than the usual one.
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { request } from 'undici'
import type { World } from './world.ts'

export const PROVIDER_MODES = ['key', 'lookup', 'none'] as const
export type ProviderMode = (typeof PROVIDER_MODES)[number]

/** How the connection of a history is set up. */
export interface HistoryStyle {
  readonly mode: ProviderMode
  readonly onChangedBody: 'keep' | 'redeliver'
  readonly ordering: 'none' | 'commerce'
  readonly maxInFlight: number
}

/** An activity as its sender knows it. */
export interface SentActivity {
  readonly id: string
  readonly commerceId: string
  /** Ids that answers named; more than one is a violation. */
  readonly ids: Set<string>
  /** Answers 201. */
  created: number
  /** Answers that said RECEIVED. */
  received: number
  /** Answers that said QUARANTINED. */
  quarantined: number
  /** Bodies with other contents than the first. */
  changes: number
  /** Deliveries that somebody asked for on purpose, refused ones left out. */
  replays: number
  /** Times it was taken out of `failed` for good. */
  discards: number
  /** Sendings that were answered 503: they may have been stored all the same. */
  unavailable: number
  /** Results that somebody else told of it. */
  foreignResults: number
}

/** What happened that may end a dispatch, or a result, otherwise than usual. */
export interface Excuses {
  kills: number
  /** The provider lost an answer, or gave one that says nothing. */
  lostAnswers: number
  /** The provider refused commerces. */
  refusals: number
  /** The provider told that work has begun: Reten may have a PENDING result that is younger than the final one. */
  progress: number
}

export interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

export interface History {
  readonly world: World
  readonly style: HistoryStyle
  readonly connection: string
  readonly activities: SentActivity[]
  readonly excuses: Excuses
  /** Makes an activity at Reten; nothing is sent. */
  addActivity(): SentActivity
  /** Sends a body of an activity and notes the answer; undefined where none came. Throws what no answer may be. */
  send(activity: SentActivity, change?: Readonly<Record<string, unknown>>): Promise<Answer | undefined>
  /** Sends any body; undefined where no answer came. */
  post(body: unknown): Promise<Answer | undefined>
  /** Tells the service of a result, as the provider would; undefined where no answer came. */
  tell(event: unknown): Promise<Answer | undefined>
  /** YOM's stand-in calls back to wherever the service listens by now. */
  connectProvider(): void
}

/** Something happened that must not. */
export class Violation extends Error {
  override name = 'Violation'
}

// Giving up is never what a history is about: forty short tries outlast all the faults it can arm.
const RETRY_DELAYS = Array.from({ length: 40 }, () => 0.05)
const SEND_TIMEOUT_MS = 20_000
const MOST_TRIES = 40
const TRY_AGAIN_MS = 250

/** Begins a history: calm stand-ins, a service that is up, a connection that nobody has used. */
export async function openHistory(world: World, style: HistoryStyle): Promise<History> {
  const connection = `h-${randomUUID().slice(0, 8)}`
  world.calm()
  world.yom.setSwitches({ idempotency: style.mode })
  await world.start()
  await demand(world, 'POST', '/connections', {
    name: connection,
    provider: 'yom',
    retenBaseUrl: world.reten.url,
    retenApiKey: world.reten.ready.apiKey,
    settings: {
      max_in_flight: style.maxInFlight,
      retry_delays: RETRY_DELAYS,
      on_changed_body: style.onChangedBody,
      ordering: style.ordering,
      // One that failed would wait for somebody as well.
      failed_blocks: false,
    },
    providerSettings: { base_url: world.yom.url, idempotency: style.mode },
    providerSecrets: { api_key: world.yom.credentials.apiKey },
  })
  const dispatchKey = await makeKey(world, connection, 'dispatch')
  const webhookKey = await makeKey(world, connection, 'webhook')
  const activities: SentActivity[] = []
  const commerces = [...world.reten.ready.tenant.commercesByExternalId.keys()]

  const call = async (path: string, key: string, body: unknown): Promise<Answer | undefined> => {
    const url = world.service()?.publicUrl
    if (url === undefined) return undefined
    try {
      const answer = await request(url + path, {
        method: 'POST',
        dispatcher: world.sender,
        headers: { 'x-api-key': key, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(SEND_TIMEOUT_MS),
      })
      // The service answers JSON objects, errors included; what they hold is checked below.
      return { status: answer.statusCode, body: (await answer.body.json()) as Record<string, unknown> }
    } catch (error) {
      if (error instanceof Error && error.name === 'TimeoutError') throw new Violation(`${path}: no answer for 20 s`)
      return undefined // the process ended meanwhile
    }
  }
  const post = (body: unknown): Promise<Answer | undefined> => call('/activities', dispatchKey, body)

  const history: History = {
    world,
    style,
    connection,
    activities,
    excuses: { kills: 0, lostAnswers: 0, refusals: 0, progress: 0 },
    addActivity: () => {
      const commerceId = commerces[activities.length % commerces.length] ?? ''
      const commerce = world.reten.ready.tenant.commercesByExternalId.get(commerceId)
      const [made] = world.reten.createActivities(1, commerce === undefined ? {} : { commerce })
      const activity = {
        id: made?.id ?? '',
        commerceId,
        ids: new Set<string>(),
        ...{
          created: 0,
          received: 0,
          quarantined: 0,
          changes: 0,
          replays: 0,
          discards: 0,
          unavailable: 0,
          foreignResults: 0,
        },
      }
      activities.push(activity)
      return activity
    },
    send: (activity, change = {}) =>
      whileUnavailable(async () => {
        const answer = await post({ ...bodyOf(activity), ...change })
        if (answer !== undefined) note(activity, answer)
        return answer
      }),
    post: (body) => whileUnavailable(() => post(body)),
    tell: (event) => whileUnavailable(() => call('/webhooks/yom', webhookKey, event)),
    connectProvider: () => {
      const url = world.service()?.publicUrl
      if (url !== undefined) world.yom.setWebhook({ url: `${url}/webhooks/yom`, token: webhookKey })
    },
  }
  history.connectProvider()
  return history
}

/** Again as long as the answer is 503, as Reten and the provider do: on a busy machine the database may be slow to answer. */
async function whileUnavailable<A extends { readonly status: number }>(
  call: () => Promise<A | undefined>,
): Promise<A | undefined> {
  for (let tries = 1; ; tries += 1) {
    const answer = await call()
    if (answer?.status !== 503 || tries === MOST_TRIES) return answer
    await pause(TRY_AGAIN_MS)
  }
}

/** `rescue` holds the commerce a second time, where a corrected mapping finds it. */
function bodyOf({ id, commerceId }: SentActivity): Record<string, unknown> {
  const commerce = { externalId: commerceId, name: 'Almacen Sur' }
  return { id, type: 'TASK', channel: 'SALESMAN', commerce, rescue: { commerce: commerceId } }
}

function note(activity: SentActivity, { status, body }: Answer): void {
  const said = `${status} ${JSON.stringify(body)}`
  if (status === 503) {
    activity.unavailable += 1
    return
  }
  if (![200, 201, 202].includes(status)) throw new Violation(`a dispatch was answered ${said}`)
  if (body['activityId'] !== activity.id) throw new Violation(`another activity was acknowledged: ${said}`)
  activity.ids.add(String(body['id']))
  if (activity.ids.size > 1) throw new Violation(`one activity has two ids: ${[...activity.ids].join(', ')}`)
  if (status === 202) activity.quarantined += 1
  else activity.received += 1
  if (status === 201) activity.created += 1
  if (activity.created > 1) throw new Violation(`activity ${activity.id} was new twice`)
}

async function makeKey(world: World, connection: string, purpose: 'dispatch' | 'webhook'): Promise<string> {
  return String((await demand(world, 'POST', `/connections/${connection}/keys`, { purpose }))['key'])
}

/** Asks the admin API for what it has no reason to refuse. */
export async function demand(
  world: World,
  method: 'POST' | 'PATCH',
  path: string,
  body: unknown,
): Promise<Readonly<Record<string, unknown>>> {
  const answer = await whileUnavailable(() => world.admin(method, path, body))
  if (answer === undefined || answer.status >= 300) {
    throw new Violation(`${method} ${path}: ${answer?.status ?? 'no answer'} ${JSON.stringify(answer?.body)}`)
  }
  return answer.body
}
