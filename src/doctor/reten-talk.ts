// What is asked of Reten for one connection: each question once, however many checks need its answer.
import type { Connection } from '../connection.ts'
import type { HttpClient } from '../http-client.ts'
import { createRetenClient } from '../reten/reten-client.ts'
import { createRetenInspector } from '../reten/reten-inspector.ts'
import type { RetenInspector } from '../reten/reten-inspector.ts'
import type { RetenAnswer } from '../reten/reten-answer.ts'
import type { RetenResultTypes } from '../schema-types.ts'
import { SECOND_MS } from '../time.ts'
import type { Clock } from '../time.ts'

/** Two readings of one moment: how far they are apart can be up to `uncertaintyMs` beside the difference. */
export interface ClockReading {
  readonly retenMs: number
  readonly ownMs: number
  readonly uncertaintyMs: number
}

export interface RetenTalk {
  readonly baseUrl: string
  /** Whether the key has the beginning that Reten's keys have. */
  readonly isUsualKey: boolean
  /** Reten's documented way to try a key. Asked once; the first caller's signal ends it. */
  resultTypes(signal: AbortSignal): Promise<RetenAnswer<RetenResultTypes>>
  readonly inspector: RetenInspector
  /** By the Date header of the first answer that had one; undefined before. */
  clockReading(): ClockReading | undefined
}

/** Shorter than in service: whoever looks on waits for it. */
const TIMEOUT_MS = 8 * SECOND_MS
/** A Date header has whole seconds. */
const DATE_STEP_MS = SECOND_MS

/** Undefined where the connection has no Reten key or no Reten address. Calls nobody. */
export function createRetenTalk(connection: Connection, http: HttpClient, clock: Clock): RetenTalk | undefined {
  const { retenBaseUrl: baseUrl, retenApiKey: apiKey } = connection
  if (baseUrl === undefined || apiKey === undefined) return undefined
  let reading: ClockReading | undefined
  const watched: HttpClient = {
    ...http,
    request: async (request) => {
      const sentMs = clock.now()
      const answer = await http.request(request)
      reading ??= readClock(answer.headers['date'], sentMs, clock.now())
      return answer
    },
  }
  const shared = { baseUrl, http: watched, clock, timeoutMs: TIMEOUT_MS }
  const client = createRetenClient({ ...shared, apiKey })
  let types: Promise<RetenAnswer<RetenResultTypes>> | undefined
  return {
    baseUrl,
    isUsualKey: apiKey.startsWith('rtn_sk_'),
    resultTypes: (signal) => (types ??= client.listResultTypes(signal)),
    inspector: createRetenInspector({ ...shared, credentials: { apiKey } }),
    clockReading: () => reading,
  }
}

function readClock(date: string | undefined, sentMs: number, answeredMs: number): ClockReading | undefined {
  const dateMs = Date.parse(date ?? '')
  if (Number.isNaN(dateMs)) return undefined
  return {
    retenMs: dateMs + DATE_STEP_MS / 2,
    ownMs: (sentMs + answeredMs) / 2,
    uncertaintyMs: DATE_STEP_MS / 2 + (answeredMs - sentMs) / 2,
  }
}

/** What Reten said, for a sentence. */
export function wordsOf(answer: RetenAnswer<unknown>): string {
  if (answer.kind === 'refused') return `Reten answered ${answer.status}: ${answer.message}`
  return answer.kind === 'ok' ? `Reten answered ${answer.status}` : answer.message
}
