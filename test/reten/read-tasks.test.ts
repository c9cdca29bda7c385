import t from 'tap'
import type { Test } from 'tap'
import { createHttpClient } from '../../src/http-client.ts'
import { readTasks } from '../../src/reten/read-tasks.ts'
import { createRetenClient } from '../../src/reten/reten-client.ts'
import { sendJson, serve } from '../support/local-server.ts'

interface Listing {
  /** What the list holds now; tests change it between pages. */
  rows: string[]
  /** What the envelope tells beside the rows. */
  readonly tells: 'everything' | 'total' | 'nothing'
  /** The largest page it gives, whatever it is asked for. */
  readonly mostPerPage?: number
}

/** A Reten whose list is `listing`, and a reading of it that calls `between` after each page. */
async function openListing(t: Test, listing: Listing, between: (page: number) => void = () => {}) {
  let asked = 0
  const server = await serve(t, (response, request) => {
    asked += 1
    const query = new URL(request.path, 'http://reten').searchParams
    const page = Number(query.get('page'))
    const limit = Math.min(Number(query.get('per_page')), listing.mostPerPage ?? 100)
    const data = listing.rows.slice((page - 1) * limit, page * limit).map((id) => ({ id, status: 'PENDING' }))
    const total = listing.rows.length
    const meta = { total, page, limit, totalPages: Math.ceil(total / limit) }
    sendJson(response, 200, { data, meta: { everything: meta, total: { total }, nothing: {} }[listing.tells] })
  })
  const http = createHttpClient()
  t.teardown(() => http.close())
  const client = createRetenClient({ baseUrl: server.origin, apiKey: 'rtn_sk_0123456789abcdef', http })
  const seen: string[] = []
  const read = () =>
    readTasks(
      {
        client,
        onRows: async (rows) => {
          seen.push(...rows.map((row) => row.id))
          between(asked)
        },
        retryDelaysMs: [0],
      },
      { scheduledFrom: '2026-05-01T00:00:00.000Z' },
      new AbortController().signal,
    )
  return { read, seen, server }
}

function ids(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `a-${index}`)
}

void t.test('readTasks', async (t) => {
  for (const tells of ['everything', 'total', 'nothing'] as const) {
    await t.test(`reads every page where the envelope tells ${tells}`, async (t) => {
      const { read, seen, server } = await openListing(t, { rows: ids(250), tells })

      t.match(await read(), { kind: 'read', isStable: true })

      t.same(seen, ids(250))
      t.match(server.received[0]?.path, /page=1&per_page=100&scheduled_from=2026-05-01/)
    })
  }

  await t.test('needs one request where all fits on a page', async (t) => {
    const { read, seen } = await openListing(t, { rows: ids(100), tells: 'everything' })

    t.same(await read(), { kind: 'read', pages: 1, isStable: true })
    t.same(seen, ids(100))
  })

  await t.test('reads pages that are smaller than it asked for', async (t) => {
    const { read, seen } = await openListing(t, { rows: ids(50), tells: 'everything', mostPerPage: 20 })

    t.same(await read(), { kind: 'read', pages: 3, isStable: true })
    t.same(seen, ids(50))
  })

  await t.test('misses no row that moves to a page it has read, and hands none out twice', async (t) => {
    const listing: Listing = { rows: ids(250), tells: 'everything' }
    const { read, seen } = await openListing(t, listing, (asked) => {
      if (asked === 1) listing.rows = listing.rows.filter((id) => id !== 'a-7')
    })

    t.match(await read(), { kind: 'read', isStable: true })

    t.same(seen.toSorted(), ids(250).toSorted())
  })

  await t.test('misses no row while others are put before them', async (t) => {
    const listing: Listing = { rows: ids(250), tells: 'everything' }
    const { read, seen } = await openListing(t, listing, (asked) => {
      if (asked === 2) listing.rows = ['new-1', 'new-2', ...listing.rows]
    })

    t.match(await read(), { kind: 'read', isStable: true })

    t.same(seen.toSorted(), [...ids(250), 'new-1', 'new-2'].toSorted())
  })

  await t.test('says so where the list never stands still', async (t) => {
    const listing: Listing = { rows: ids(150), tells: 'everything' }
    const { read } = await openListing(t, listing, (asked) => {
      listing.rows = [`new-${asked}`, ...listing.rows]
    })

    t.match(await read(), { kind: 'read', isStable: false })
  })

  await t.test('asks again for a page that was not answered, and ends with what Reten said then', async (t) => {
    let asked = 0
    const server = await serve(t, (response) => {
      asked += 1
      if (asked === 1) sendJson(response, 200, { data: [{ id: 'a-1' }], meta: { total: 2, totalPages: 2 } })
      else sendJson(response, 503, { statusCode: 503, message: 'deploying' })
    })
    const http = createHttpClient()
    t.teardown(() => http.close())
    const client = createRetenClient({ baseUrl: server.origin, apiKey: 'rtn_sk_0123456789abcdef', http })
    const seen: string[] = []
    const onRows = async (rows: readonly { readonly id: string }[]): Promise<void> => {
      seen.push(...rows.map((row) => row.id))
    }

    const reading = await readTasks({ client, onRows, retryDelaysMs: [0, 0] }, {}, new AbortController().signal)

    t.match(reading, { kind: 'unavailable', code: 'http_503', pages: 2 })
    t.equal(server.received.length, 4)
    t.same(seen, ['a-1'], 'what was read is not lost')
  })
})
