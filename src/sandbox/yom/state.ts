import type { SandboxClock } from '../clock.ts'
import { createSeededRandom, type DrawKey, type SeededRandom } from '../seeded-random.ts'
import type { Task } from './records.ts'
import { defaultYomSwitches, type YomSwitches } from './switches.ts'

/** Where and how YOM calls back. */
export interface WebhookTarget {
  readonly url: string
  /** Sent as `x-api-key`; defined by the receiver. */
  readonly token: string
}

/** Everything YOM's stand-in knows. */
export interface YomState {
  readonly clock: SandboxClock
  readonly random: SeededRandom
  readonly seed: DrawKey
  switches: YomSwitches
  webhook: WebhookTarget | undefined
  readonly credentials: YomCredentials
  /** Tokens issued before this generation are refused. */
  tokenGeneration: number
  readonly tasks: Map<string, Task>
  readonly byExternalId: Map<string, Task[]>
  readonly byKey: Map<string, Task>
  /** Task ids in the order in which something happened to them, for those who poll; the index is the cursor. */
  readonly changes: string[]
  readonly totals: YomTotals
  nextId(kind: string, length: number): string
}

/** What opens the stand-in. */
export interface YomCredentials {
  apiKey: string
  readonly clientId: string
  readonly clientSecret: string
  readonly tokenSecret: string
}

/** Counted as it happens. */
export interface YomTotals {
  taskRequests: number
  repeats: number
  lookups: number
  tokensGranted: number
  webhookSends: number
}

/** Makes an empty state. */
export const createYomState = (
  clock: SandboxClock,
  seed: DrawKey,
  credentials: Partial<YomCredentials>,
  switches: Partial<YomSwitches> = {},
): YomState => {
  const random = createSeededRandom(seed)
  const drawn = new Map<string, number>()
  return {
    clock,
    random,
    seed,
    switches: { ...defaultYomSwitches, ...switches },
    webhook: undefined,
    credentials: {
      apiKey: credentials.apiKey ?? `yom_${random.hex(40, 'api-key')}`,
      clientId: credentials.clientId ?? `client-${random.hex(8, 'client-id')}`,
      clientSecret: credentials.clientSecret ?? random.hex(40, 'client-secret'),
      tokenSecret: credentials.tokenSecret ?? random.hex(64, 'token-secret'),
    },
    tokenGeneration: 0,
    tasks: new Map(),
    byExternalId: new Map(),
    byKey: new Map(),
    changes: [],
    totals: { taskRequests: 0, repeats: 0, lookups: 0, tokensGranted: 0, webhookSends: 0 },
    nextId: (kind, length) => {
      const count = (drawn.get(kind) ?? 0) + 1
      drawn.set(kind, count)
      return random.hex(length, kind, count)
    },
  }
}
