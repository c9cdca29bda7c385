// npm run demo: the main job, whole, on this machine alone.
import { endProgress, formatAddresses, formatTally, printProgress } from './demo/print.ts'
import { readDemoOptions } from './demo/options.ts'
import { runDemo } from './demo/run-demo.ts'
import { openStage } from './demo/stage.ts'
import { isWell } from './demo/tally.ts'
import { runCommand } from './run-command.ts'

await runCommand(async () => {
  const options = readDemoOptions(process.argv.slice(2))
  const ending = new AbortController()
  const onSignal = (): void => {
    if (ending.signal.aborted) process.exit(130)
    ending.abort()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  process.stderr.write('starting the database, the service and the stand-ins\n')
  const stage = await openStage(options, () =>
    process.stderr.write('\nthe service ended unasked and is started again\n'),
  )
  try {
    const counts = await runDemo(stage, options, printProgress, ending.signal)
    endProgress()
    if (ending.signal.aborted) {
      process.stderr.write(`interrupted: ${counts.registered} of ${options.activities} were back at Reten\n`)
      process.exitCode = 130
      return
    }
    const wellDone = isWell(counts, options.activities)
    if (!wellDone) process.exitCode = 1
    if (!options.json || !options.exit) process.stdout.write(formatTally(counts))
    if (!wellDone) process.stderr.write(`not everything is where it should be; the service's log is ${stage.logFile}\n`)
    if (options.json) process.stdout.write(`${JSON.stringify(counts)}\n`)
    if (!options.exit) {
      const output = options.json ? process.stderr : process.stdout // the JSON line stays the last one
      output.write(formatAddresses(stage))
      await new Promise((resolve) => ending.signal.addEventListener('abort', resolve))
    }
  } finally {
    await stage.close()
  }
})
