// npm run test:chaos: the promise under everything that we know can go wrong, with real processes, a real PostgreSQL and the
// stand-ins as judges. docs/chaos.md says what each scenario proves.
import { runCommand } from '../../src/commands/run-command.ts'
import { readChaosOptions } from './options.ts'
import { playAll } from './play-all.ts'
import { formatPlayed } from './report.ts'
import { SCENARIOS } from './scenarios/all.ts'
import { SEARCHES } from './searches.ts'

await runCommand(async () => {
  const names = [...SCENARIOS, ...SEARCHES].map(({ name }) => name)
  const options = readChaosOptions(process.argv.slice(2), names)
  const ending = new AbortController()
  const onSignal = (): void => {
    // What was started is killed as this process exits.
    if (ending.signal.aborted) process.exit(130)
    process.stderr.write('\ninterrupted: ending what was started; once more ends it at once\n')
    ending.abort()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  const chosen = SCENARIOS.filter((scenario) => options.only?.includes(scenario.name) !== false)
  const say = (line: string): void => void process.stderr.write(`${line}\n`)
  const played = await playAll(chosen, { ...options, signal: ending.signal, say })
  const found: string[] = []
  for (const search of SEARCHES) {
    if (options.only?.includes(search.name) === false || ending.signal.aborted) continue
    say(`${search.name}: ${search.proves}`)
    found.push(...(await search.run({ ...options, signal: ending.signal, say })))
  }
  if (ending.signal.aborted) {
    process.exitCode = 130
    return
  }
  process.stdout.write(`${formatPlayed(played)}\n`)
  for (const sentence of found) process.stdout.write(`FOUND ${sentence}\n`)
  if (options.json) process.stdout.write(`${JSON.stringify({ scenarios: played, found })}\n`)
  if (found.length > 0 || played.some((row) => row.broken.length > 0)) process.exitCode = 1
})
