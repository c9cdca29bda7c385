// The least that can stand between the two stand-ins, to show that together they make a whole: what Reten dispatches
// becomes a task under the same id, what YOM tells becomes a result. It keeps everything in memory and repeats until
// it succeeds, relying on what the stand-ins promise: a key at YOM, a 409 at Reten.
import type { Test } from 'tap'
import type { RetenSandbox } from '../../src/sandbox/start-reten-sandbox.ts'
import type { YomSandbox } from '../../src/sandbox/start-yom-sandbox.ts'
import { callJson, type JsonCall } from './call-json.ts'
import { startReceiver, type Received } from './start-receiver.ts'

/** Starts a relay and points both stand-ins at it; the answer resolves when nothing is under way. */
export const startRelay = async (t: Test, reten: RetenSandbox, yom: YomSandbox): Promise<() => Promise<void>> => {
  const accepted = new Map<string, Received['body']>()
  const reported = new Set<unknown>()
  const work = new Set<Promise<void>>()
  const begin = (job: Promise<void>): void => {
    work.add(job)
    void job.finally(() => work.delete(job))
  }

  const receiver = await startReceiver(({ path, body }) => {
    if (path === '/webhooks/yom') {
      if (body['status'] !== 'PENDING' && !reported.has(body['dispatchId'])) {
        reported.add(body['dispatchId'])
        begin(report(reten, body, accepted))
      }
      return { status: 200 }
    }
    const id = String(body['id'])
    if (!accepted.has(id)) {
      accepted.set(id, body)
      begin(deliver(yom, id, body))
    }
    return { status: 201, body: { id } }
  })
  t.teardown(() => receiver.close())
  reten.setDispatchConfig({ baseUrl: receiver.url, apiKey: 'k' })
  yom.setWebhook({ url: `${receiver.url}/webhooks/yom`, token: 'w' })

  return async () => {
    while (work.size > 0) await Promise.all(work)
  }
}

const deliver = (yom: YomSandbox, id: string, body: Received['body']): Promise<void> => {
  const { commerce } = body
  const commerceId =
    typeof commerce === 'object' && commerce !== null && 'externalId' in commerce && commerce.externalId
  return repeat(`${yom.url}/activities`, [200, 201], {
    headers: { 'x-api-key': yom.credentials.apiKey, 'idempotency-key': id },
    body: { externalId: id, activityId: id, commerceId },
  })
}

const report = (
  reten: RetenSandbox,
  event: Received['body'],
  accepted: ReadonlyMap<string, Received['body']>,
): Promise<void> => {
  const id = String(event['dispatchId'])
  const commerce = reten.activity(id)?.commerce.externalId ?? String(accepted.get(id)?.['commerce'])
  return repeat(`${reten.url}/api/integration/activity-results/tasks`, [201, 409], {
    headers: { 'x-api-key': reten.ready.apiKey },
    body: {
      activity_id: id,
      commerce_external_id: commerce,
      occurred_at: event['occurredAt'],
      status: event['status'],
      task_result: { result: event['result'], future_scheduled_at: event['futureScheduledAt'] ?? undefined },
    },
  })
}

const repeat = async (url: string, wanted: readonly number[], call: JsonCall): Promise<void> => {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    // A broken connection, half an answer or a page of HTML: all of them mean once more.
    const reply = await callJson(url, call).catch(() => undefined)
    const isJson = reply !== undefined && Object.keys(reply.body).length > 0
    if (isJson && wanted.includes(reply.status)) return
  }
  throw new Error(`${url} never answered as it should`)
}
