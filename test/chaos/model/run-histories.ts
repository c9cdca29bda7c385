// Many histories, each by a seed of its own: the same seed is the same history, whatever came before it.
import fc from 'fast-check'
import { createScope } from '../../support/scope.ts'
import { comeToRest } from './come-to-rest.ts'
import { drawCommand } from './draw-command.ts'
import { openHistory } from './history.ts'
import type { HistoryStyle, ProviderMode } from './history.ts'
import { judge } from './judge.ts'
import type { Ending } from './judge.ts'
import { openWorld } from './world.ts'
import type { World } from './world.ts'

export interface HistoriesOptions {
  readonly histories: number
  /** At most, in one history; they are drawn evenly up to it. */
  readonly commands: number
  /** Of the first history; each further one has the next. */
  readonly seed: number
  /** One after another. */
  readonly modes: readonly ProviderMode[]
  /** Worlds side by side. */
  readonly lanes: number
  readonly onHistory?: (done: FinishedHistory) => void
  /** Once it aborts, no further one is begun. */
  readonly signal?: AbortSignal
}

export interface FinishedHistory {
  readonly seed: number
  readonly mode: ProviderMode
  readonly commands: number
  readonly activities: number
  /** What went wrong, and what was done; undefined where all was well. */
  readonly fault: string | undefined
}

export interface HistoriesReport {
  readonly histories: number
  readonly commands: number
  readonly activities: number
  /** How many dispatches ended in each way. */
  readonly endings: Readonly<Record<string, number>>
  readonly failed: readonly FinishedHistory[]
}

/** Runs them all; a history that goes wrong is told and does not stop the others. */
export async function runHistories(options: HistoriesOptions): Promise<HistoriesReport> {
  const endings: Record<string, number> = {}
  const failed: FinishedHistory[] = []
  const total = { histories: 0, commands: 0, activities: 0 }
  const numbers = Array.from({ length: options.histories }, (_, n) => n).values()

  const lane = async (): Promise<void> => {
    let scope = createScope()
    let world: World | undefined
    try {
      for (const n of numbers) {
        if (options.signal?.aborted === true) return
        world ??= await openWorld(scope)
        const mode = options.modes[n % options.modes.length] ?? 'key'
        const done = await runHistory(world, { seed: options.seed + n, mode, commands: options.commands }, endings)
        total.histories += 1
        total.commands += done.commands
        total.activities += done.activities
        options.onHistory?.(done)
        if (done.fault === undefined) continue
        failed.push(done)
        // What one history left behind must not be taken for the fault of the next.
        await scope.end()
        scope = createScope()
        world = undefined
      }
    } finally {
      await scope.end()
    }
  }

  await Promise.all(Array.from({ length: Math.min(options.lanes, options.histories) }, lane))
  return { ...total, endings, failed }
}

interface HistoryInput {
  readonly seed: number
  readonly mode: ProviderMode
  readonly commands: number
}

async function runHistory(
  world: World,
  input: HistoryInput,
  endings: Record<string, number>,
): Promise<FinishedHistory> {
  const { seed, mode } = input
  const ran: string[] = []
  let seen = { activities: 0 }
  const style = fc.record({
    onChangedBody: fc.constantFrom('keep' as const, 'redeliver' as const),
    ordering: fc.constantFrom('none' as const, 'commerce' as const),
    maxInFlight: fc.constantFrom(1, 4, 16),
  })
  // At least half of them: a short history says little.
  const bounds = { minLength: Math.ceil(input.commands / 2), maxLength: input.commands, size: 'max' } as const
  const commands = fc.array(drawCommand(), bounds)
  const property = fc.asyncProperty(style, commands, async (drawn, script) => {
    const history = await openHistory(world, { ...drawn, mode } satisfies HistoryStyle)
    const outline = { isUp: true, isMappingFixed: false, activities: 0, ran }
    seen = outline
    await fc.asyncModelRun(() => ({ model: outline, real: history }), script)
    await comeToRest(history)
    for (const ending of await judge(history)) count(endings, ending)
  })
  // Shrinking would run dozens of histories for one that already says what is wrong.
  const checked = await fc.check(property, { seed, numRuns: 1, endOnFailure: true, unbiased: true })
  const fault = checked.failed
    ? `${String(checked.errorInstance)}\n${JSON.stringify(checked.counterexample?.[0])} ${ran.join(', ')}`
    : undefined
  return { seed, mode, commands: ran.length, activities: seen.activities, fault }
}

function count(endings: Record<string, number>, { state, reason, parked, results }: Ending): void {
  const name = parked === null ? state : 'parked'
  const why = parked ?? (state === 'failed' ? reason : undefined)
  for (const key of [[name, why].filter(Boolean).join(': '), ...results.map((result) => `result ${result.state}`)]) {
    endings[key] = (endings[key] ?? 0) + 1
  }
}

/** How to run one history again. */
export function replayCommand({ seed, mode }: FinishedHistory, commands: number): string {
  return `node test/chaos/model/run.ts --histories 1 --commands ${commands} --seed ${seed} --mode ${mode}`
}
