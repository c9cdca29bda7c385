// npm run replay -- <id…> --reason …: makes stored dispatches due again, through the same function as the admin API. The
// running service picks them up with its next poll.
import { Command } from 'commander'
import type { Variables } from '../config.ts'
import { AppError } from '../errors.ts'
import { replayOne } from '../ops/replay.ts'
import type { Replay } from '../ops/replay.ts'
import { printJson, printLine, printTable, withOperatorContext } from './operator-context.ts'
import type { OperatorContext } from './operator-context.ts'
import { replayQuarantineByCommand } from './replay-quarantine.ts'
import { runCommand } from './run-command.ts'

interface ReplayOptions {
  readonly reason: string
  readonly dryRun?: boolean
  readonly json?: boolean
  readonly quarantined?: boolean
  readonly connection?: string
}

type Line = { readonly id: string; readonly replay: Replay } | { readonly id: string; readonly refused: AppError }

await runCommand(async (variables) => {
  await createProgram(variables).parseAsync()
})

function createProgram(variables: Variables): Command {
  return new Command('npm run replay --')
    .description('Delivers stored dispatches again, on purpose, under the same idempotency key.')
    .argument('[ids...]', 'ids of dispatches')
    .option('--quarantined', 'instead: every quarantined body that is no dispatch yet, read again by field_paths')
    .option('--connection <name>', 'with --quarantined: only those of this connection')
    .requiredOption('--reason <reason>', 'why; kept in the audit log')
    .option('--dry-run', 'say what would happen and change nothing')
    .option('--json', 'print JSON')
    .exitOverride()
    .action((ids: string[], options: ReplayOptions) =>
      withOperatorContext(variables, (context) => {
        if (options.quarantined === true) return replayQuarantineByCommand(context, options)
        if (ids.length > 0) return replayAll(context, ids, options)
        throw new AppError('RCV_COMMAND_INVALID', 'name the dispatches to replay, or --quarantined')
      }),
    )
}

/** One after another: each is a transaction of its own, and one that is refused does not keep the others from their turn. */
async function replayAll(context: OperatorContext, ids: readonly string[], options: ReplayOptions): Promise<void> {
  const lines: Line[] = []
  for (const id of ids) lines.push(await replayLine(context, id, options))
  if (options.json === true) printJson(lines.map(toJson))
  else printLines(lines, options.dryRun === true)
  if (lines.some((line) => 'refused' in line)) process.exitCode = 1
}

async function replayLine(context: OperatorContext, id: string, options: ReplayOptions): Promise<Line> {
  const { db, logger, author } = context
  try {
    const input = { id, reason: options.reason, isDryRun: options.dryRun === true, author }
    return { id, replay: await replayOne({ db, logger, nudge: () => {} }, input) }
  } catch (error) {
    if (error instanceof AppError) return { id, refused: error }
    throw error
  }
}

function printLines(lines: readonly Line[], isDryRun: boolean): void {
  printTable(
    ['Dispatch', 'Activity', 'Connection', isDryRun ? 'Would be' : 'Is', 'Idempotency key'],
    lines.map((line) =>
      'refused' in line
        ? [line.id, null, null, line.refused.message, null]
        : [line.id, line.replay.activityId, line.replay.connection, describe(line.replay), line.replay.idempotencyKey],
    ),
  )
  const due = lines.filter((line) => 'replay' in line).length
  printLine(`${due} of ${lines.length} ${isDryRun ? 'would be due' : 'are due'} for delivery`)
}

function describe(replay: Replay): string {
  const waits = replay.connectionState === 'paused' ? ', waits until its connection is resumed' : ''
  const doubt = replay.wasParked ? ', was parked: the work may be done twice' : ''
  return `${replay.stateBefore} -> ${replay.stateAfter}${waits}${doubt}`
}

function toJson(line: Line): object {
  return 'refused' in line ? { id: line.id, code: line.refused.code, message: line.refused.message } : line.replay
}
