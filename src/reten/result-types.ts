// A tenant's result types, kept for a while: asked for once however many wait, and still given out when Reten cannot be
// reached, because a list some hours old is right nearly always and no list stops every report.
import type { RetenResultTypes } from '../schema-types.ts'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../time.ts'
import type { Clock } from '../time.ts'
import { untilAborted } from '../until-aborted.ts'
import type { RetenRefused, RetenUnavailable } from './reten-answer.ts'
import type { RetenClient } from './reten-client.ts'

/** `isStale`: Reten could not be asked again, and this is what it said last. */
export interface ResultTypesKnown {
  readonly kind: 'ok'
  readonly value: RetenResultTypes
  readonly isStale: boolean
}

export type ResultTypesReading = ResultTypesKnown | RetenRefused | RetenUnavailable

export interface ResultTypesReader {
  /** The types, from memory while they are fresh. Never rejects because of Reten; `aborted` when `signal` ends the wait. */
  read(signal: AbortSignal): Promise<ResultTypesReading>
  /** The same, but asks Reten: for a code that the remembered list does not know. */
  refresh(signal: AbortSignal): Promise<ResultTypesReading>
  /** Ends a question that is under way. */
  close(): void
}

export interface ResultTypesReaderInput {
  readonly client: Pick<RetenClient, 'listResultTypes'>
  readonly clock: Clock
  /** How long a list is fresh; default 5 minutes. */
  readonly lifeMs?: number | undefined
  /** How long a list is better than none; default 24 hours. */
  readonly staleLifeMs?: number | undefined
}

const LIFE_MS = 5 * MINUTE_MS
const STALE_LIFE_MS = 24 * HOUR_MS
/** After a question without an answer the old list is given out this long before the next one, not after 10 s each time. */
const PAUSE_AFTER_FAULT_MS = 30 * SECOND_MS

const GIVEN_UP: RetenUnavailable = Object.freeze({
  kind: 'unavailable',
  code: 'aborted',
  message: 'given up while waiting for the result types',
  isSent: false,
  exchange: {},
})

/** Makes a reader for one tenant. Asks nothing before the first call. */
export function createResultTypesReader(input: ResultTypesReaderInput): ResultTypesReader {
  const { client, clock } = input
  const lifeMs = input.lifeMs ?? LIFE_MS
  const staleLifeMs = input.staleLifeMs ?? STALE_LIFE_MS
  const closing = new AbortController()
  let known: { readonly value: RetenResultTypes; readonly readAtMs: number } | undefined
  let askAgainAtMs = 0
  let underWay: Promise<ResultTypesReading> | undefined

  const ask = async (): Promise<ResultTypesReading> => {
    const answer = await client.listResultTypes(closing.signal)
    const nowMs = clock.now()
    if (answer.kind === 'ok') {
      known = { value: answer.value, readAtMs: nowMs }
      askAgainAtMs = nowMs + lifeMs
      return { kind: 'ok', value: answer.value, isStale: false }
    }
    askAgainAtMs = nowMs + PAUSE_AFTER_FAULT_MS
    const isUsable = known !== undefined && nowMs - known.readAtMs < staleLifeMs
    return known !== undefined && isUsable ? { kind: 'ok', value: known.value, isStale: true } : answer
  }
  const refresh = (signal: AbortSignal): Promise<ResultTypesReading> => {
    underWay ??= ask().finally(() => (underWay = undefined))
    return untilAborted<ResultTypesReading>(underWay, signal, GIVEN_UP)
  }

  return {
    refresh,
    read(signal) {
      const nowMs = clock.now()
      if (known === undefined || nowMs >= askAgainAtMs || nowMs - known.readAtMs >= staleLifeMs) return refresh(signal)
      return Promise.resolve({ kind: 'ok', value: known.value, isStale: nowMs - known.readAtMs >= lifeMs })
    },
    close: () => closing.abort(),
  }
}
