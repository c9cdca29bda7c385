import { Command, InvalidArgumentError, Option } from 'commander'

export interface ChaosOptions {
  /** Names of what is played; undefined: everything. */
  readonly only: readonly string[] | undefined
  readonly seed: number
  readonly long: boolean
  readonly json: boolean
  /** Also where every promise held. */
  readonly keepLogs: boolean
}

const MAX_SEED = 2_147_483_647

/** Reads the options; commander says what is wrong with one and throws. */
export function readChaosOptions(argv: readonly string[], names: readonly string[]): ChaosOptions {
  const command = new Command('npm run test:chaos --')
    .description(
      'Breaks what the service stands on while it works, and counts at both ends, id by id. Exits 1 when a promise was broken.',
    )
    .addOption(new Option('--only <name...>', 'what to play; all of it without').choices(names))
    .option('--seed <n>', 'repeats ids, faults and choices', readSeed, 1)
    .option('--long', 'minutes where the short form takes seconds', false)
    .option('--json', 'print everything as one JSON line, last', false)
    .option('--keep-logs', "keep the instances' logs in .data/chaos also where everything held", false)
    .exitOverride()
    .parse(argv, { from: 'user' })
  const { only, ...options } = command.opts<ChaosOptions>() // shaped by the options above
  return { ...options, only }
}

function readSeed(text: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value <= MAX_SEED) return value
  throw new InvalidArgumentError(`It must be a whole number from 0 to ${MAX_SEED}.`)
}
