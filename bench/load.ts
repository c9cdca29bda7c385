// Load by autocannon in a process of its own: unique activities, kept-alive connections.
import autocannon from 'autocannon'
import { randomUUID } from 'node:crypto'

export interface LoadResult {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly non2xx: number
  readonly total: number
}

/** Posts distinct activities as fast as `connections` take them, for `seconds`. */
export async function pushActivities(
  url: string,
  key: string,
  connections: number,
  seconds: number,
): Promise<LoadResult> {
  const result = await autocannon({
    url: `${url}/activities`,
    method: 'POST',
    connections,
    duration: seconds,
    headers: { 'content-type': 'application/json', 'x-api-key': key },
    requests: [{ setupRequest: (request) => ({ ...request, body: activity() }) }],
  })
  return {
    perSecond: result['2xx'] / result.duration,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    non2xx: result.non2xx + result.errors + result.timeouts,
    total: result['2xx'],
  }
}

/** An activity as Reten may push it, about 700 bytes. */
function activity(): string {
  const id = randomUUID()
  return `{"id":"${id}","type":"TASK","channel":"SALESMAN","reason":{"code":"retention","label":"Retencion"},"userStatus":{"code":"at_risk","label":"En Riesgo"},"score":72,"scheduledAt":"2026-05-04T13:00:00.000Z","suggestedExecutionTime":null,"commerce":{"id":"5d0c1111-0000-4000-8000-000000000001","externalId":"C-1042","name":"Almacen Sur","taxId":"76000000-0","addresses":[{"street":"Av. Siempre Viva 742","city":"Santiago","isPrimary":true}]},"operator":{"id":"91aa1111-0000-4000-8000-000000000001","externalId":"V-17","type":"SALESMAN","name":"Ana Rojas"},"route":{"id":"c3b21111-0000-4000-8000-000000000001","externalId":"R-05"},"attributes":[{"key":"commerce_info","value":{"segment":"B"}}]}`
}
