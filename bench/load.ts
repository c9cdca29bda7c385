// Runs the load generator in a process of its own and tells when its measuring begins and ends.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface LoadPlan {
  readonly port: number
  readonly key: string
  readonly connections: number
  readonly warmupMs: number
  readonly durationMs: number
  /** A constant arrival rate; without one, as fast as the connections take it. */
  readonly ratePerSecond?: number | undefined
}

export interface LoadResult {
  /** Successful answers a second within the measured time. */
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** Successful answers in all, warm-up included. */
  readonly acknowledged: number
  readonly refused: number
}

/** What the generator says to who started it. */
export type LoadMessage =
  | { readonly kind: 'measuring' }
  | { readonly kind: 'measured'; readonly cpuMs: number }
  | { readonly kind: 'done'; readonly result: LoadResult }

export interface LoadWatch {
  readonly onMeasuring: () => void
  /** `cpuMs`: what the generator itself used. */
  readonly onMeasured: (cpuMs: number) => void
}

/** Pushes distinct activities to this machine's `port`. Rejects when the generator ends without a result. */
export async function pushActivities(plan: LoadPlan, watch: LoadWatch): Promise<LoadResult> {
  const child = fork(fileURLToPath(new URL('generator.ts', import.meta.url)), [JSON.stringify(plan)])
  return new Promise((resolve, reject) => {
    let result: LoadResult | undefined
    child.on('message', (message) => {
      const said = message as LoadMessage // sent by generator.ts alone
      if (said.kind === 'measuring') watch.onMeasuring()
      else if (said.kind === 'measured') watch.onMeasured(said.cpuMs)
      else result = said.result
    })
    child.on('error', reject)
    child.on('exit', (code) => {
      if (result === undefined) reject(new Error(`the load generator ended with ${code} and without a result`))
      else resolve(result)
    })
  })
}
