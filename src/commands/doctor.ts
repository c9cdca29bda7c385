// npm run doctor: checks a real installation step by step and says what to do about each fault. It changes nothing anywhere.
import { Command } from 'commander'
import { toReport } from '../doctor/finding.ts'
import type { Finding } from '../doctor/finding.ts'
import { readPublicUrl } from './connection-options.ts'
import { examine } from './doctor/examine.ts'
import { summarize, toLine } from './doctor/words.ts'
import { printJson, printLine } from './operator-context.ts'
import { runCommand } from './run-command.ts'

interface DoctorOptions {
  readonly connection?: string
  readonly publicUrl?: string
  readonly json?: boolean
}

await runCommand(async (variables) => {
  const options = new Command('npm run doctor --')
    .description(
      'Checks settings, database, Reten and provider of this installation with the settings the service has, and says what to do. ' +
        'Exit code 0: nothing failed; warnings are allowed.',
    )
    .option('--connection <name>', 'only this one')
    .option(
      '--public-url <url>',
      'where Reten reaches this service, without /activities: is it reached there',
      readPublicUrl,
    )
    .option('--json', 'print one JSON document')
    .exitOverride()
    .parse()
    .opts<DoctorOptions>()
  const findings: Finding[] = []
  await examine({
    variables,
    connection: options.connection,
    publicUrl: options.publicUrl,
    onFinding: (finding) => {
      findings.push(finding)
      if (options.json !== true) printLine(toLine(finding))
    },
    // Beside the findings, so that a script reads those alone.
    onProgress: (what) => void process.stderr.write(`checking ${what} …\n`),
  })
  const report = toReport(findings)
  if (options.json === true) printJson(report)
  else printLine(`\n${summarize(report)}`)
  process.exitCode = report.ok ? 0 : 1
})
