import { Command, InvalidArgumentError, Option } from 'commander'

export interface DemoOptions {
  readonly activities: number
  /** Dispatches a second; undefined: as fast as Reten's stand-in goes. */
  readonly rate: number | undefined
  readonly faults: 'none' | 'some' | 'storm'
  readonly seed: number
  readonly provider: 'key' | 'lookup' | 'none'
  readonly shape: 'mixed' | 'nested-camel' | 'flat-camel' | 'flat-snake' | 'unexpected'
  readonly exit: boolean
  readonly json: boolean
}

const MAX_ACTIVITIES = 100_000

/** Reads the demo's options; commander says what is wrong with one and throws. */
export function readDemoOptions(argv: readonly string[]): DemoOptions {
  const command = new Command('npm run demo --')
    .description(
      'Dispatches activities from a stand-in for Reten through the service to a stand-in for YOM, and back as results.',
    )
    .option('--activities <n>', 'how many activities Reten dispatches', wholeNumber(1, MAX_ACTIVITIES), 200)
    .option('--rate <n/s>', 'dispatches a second', readRate)
    .addOption(
      new Option('--faults <profile>', 'what goes wrong on the way').choices(['none', 'some', 'storm']).default('none'),
    )
    .option('--seed <n>', 'repeats the same faults and results', wholeNumber(0, 2_147_483_647), 1)
    .addOption(
      new Option('--provider <mode>', "how YOM's stand-in recognises repeats")
        .choices(['key', 'lookup', 'none'])
        .default('key'),
    )
    .addOption(
      new Option(
        '--shape <shape>',
        'how Reten writes its bodies; "unexpected" ends in quarantine first and is repaired',
      )
        .choices(['mixed', 'nested-camel', 'flat-camel', 'flat-snake', 'unexpected'])
        .default('mixed'),
    )
    .option('--exit', 'end when all is done; exit code 0 only if nothing was lost or doubled', false)
    .option('--json', 'print the final counts as one JSON line, last', false)
    .exitOverride()
    .parse(argv, { from: 'user' })
  const { rate, ...options } = command.opts<DemoOptions>() // shaped by the options above
  return { ...options, rate }
}

function wholeNumber(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= minimum && value <= maximum) return value
    throw new InvalidArgumentError(`It must be a whole number from ${minimum} to ${maximum}.`)
  }
}

function readRate(text: string): number {
  const value = Number(/^(\d+)(\/s)?$/.exec(text)?.[1])
  if (value >= 1 && value <= 10_000) return value
  throw new InvalidArgumentError('It must be a number of dispatches a second from 1 to 10000, such as 50 or 50/s.')
}
