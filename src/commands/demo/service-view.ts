// What the service itself says, through its admin API: the other half of the demo's count.
import { request } from 'undici'

/** A dispatch as the admin API lists it, as far as the demo counts. */
export interface SeenDispatch {
  readonly id: string
  readonly activityId: string
  readonly state: string
  readonly isDelivered: boolean
  readonly isParked: boolean
}

interface ListAnswer {
  readonly data: readonly {
    readonly id: string
    readonly activityId: string
    readonly state: string
    readonly deliveredAt: string | null
    readonly delivery: { readonly phase: string } | null
  }[]
  readonly meta: { readonly next_cursor: string | null }
}

/** Every dispatch the service has stored. Throws where it cannot be asked right now. */
export async function listAllDispatches(opsUrl: string, adminToken: string): Promise<readonly SeenDispatch[]> {
  const seen: SeenDispatch[] = []
  let cursor: string | null = null
  do {
    const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const { statusCode, body } = await request(`${opsUrl}/admin/dispatches?limit=200${query}`, {
      headers: { authorization: `Bearer ${adminToken}` },
      signal: AbortSignal.timeout(10_000),
    })
    if (statusCode !== 200) throw new Error(`the service answered ${statusCode}: ${await body.text()}`)
    const page = (await body.json()) as ListAnswer // our own admin API, of the same release
    for (const row of page.data) {
      seen.push({
        id: row.id,
        activityId: row.activityId,
        state: row.state,
        isDelivered: row.deliveredAt !== null,
        isParked: row.delivery?.phase === 'parked',
      })
    }
    cursor = page.meta.next_cursor
  } while (cursor !== null)
  return seen
}

/** Resolves when the service says that it is ready; false after `timeoutMs`, or when `hasEnded` says that it never will. */
export async function untilReady(publicUrl: string, timeoutMs: number, hasEnded: () => boolean): Promise<boolean> {
  const deadline = Date.now() + timeoutMs
  while (Date.now() < deadline && !hasEnded()) {
    const answer = await request(`${publicUrl}/readyz`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined)
    await answer?.body.dump()
    if (answer?.statusCode === 200) return true
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return false
}
