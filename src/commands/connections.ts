// npm run connections -- add|list|show|pause|resume|rotate-key|remove: connections from a shell, through the same functions as
// the admin API. A running service learns of a change within seconds, and of a new key when it is first used.
import { Command, Option } from 'commander'
import type { Variables } from '../config.ts'
import { showKey } from '../ops/connection-view.ts'
import { archiveConnection, pauseConnection, resumeConnection } from '../ops/connections.ts'
import { makeKey } from '../ops/keys.ts'
import type { KeyPurpose } from '../ops/keys.ts'
import { countJobs } from '../store/show-connection.ts'
import { buildAddCommand } from './add-connection.ts'
import { readDuration } from './connection-options.ts'
import { printJson, printLine, printTable, toConnectionDeps, withOperatorContext } from './operator-context.ts'
import type { WithinContext } from './operator-context.ts'
import { runCommand } from './run-command.ts'
import { buildListCommand, buildShowCommand } from './show-connections.ts'

interface RotateOptions {
  readonly purpose: KeyPurpose
  readonly overlap?: number
  readonly label?: string
  readonly json?: boolean
}

await runCommand(async (variables) => {
  await createProgram(variables).parseAsync()
})

function createProgram(variables: Variables): Command {
  const program = new Command('npm run connections --')
    .description('Manages connections: one tenant at one provider each. Uses DATABASE_URL, else the embedded database.')
    .exitOverride()
  const within: WithinContext = (work) => withOperatorContext(variables, work)
  for (const build of [
    buildAddCommand,
    buildListCommand,
    buildShowCommand,
    buildPause,
    buildResume,
    buildRotateKey,
    buildRemove,
  ]) {
    program.addCommand(build(within).exitOverride())
  }
  return program
}

function buildPause(within: WithinContext): Command {
  return new Command('pause')
    .description('Stops deliveries; what Reten dispatches is still received, and results are still reported.')
    .argument('<name>')
    .requiredOption('--reason <reason>', 'why; kept in the audit log')
    .action((name: string, options: { reason: string }) =>
      within(async (context) => {
        await pauseConnection(toConnectionDeps(context), name, options.reason, context.author)
        printLine(`${name} is paused: ${options.reason}`)
      }),
    )
}

function buildResume(within: WithinContext): Command {
  return new Command('resume')
    .description('Lets a paused connection deliver again.')
    .argument('<name>')
    .action((name: string) =>
      within(async (context) => {
        await resumeConnection(toConnectionDeps(context), name, context.author)
        printLine(`${name} is active, ${await countJobs(context.db, name)} jobs are waiting`)
      }),
    )
}

function buildRotateKey(within: WithinContext): Command {
  return new Command('rotate-key')
    .description('Makes another key. The others stay, or end after --overlap.')
    .argument('<name>')
    .addOption(
      new Option('--purpose <purpose>', "Reten's dispatches, or the provider's webhooks")
        .choices(['dispatch', 'webhook'])
        .default('dispatch'),
    )
    .option('--overlap <time>', 'how long the other keys live on, e.g. 24h', readDuration)
    .option('--label <label>', 'to tell it from others')
    .option('--json', 'print JSON')
    .action((name: string, options: RotateOptions) =>
      within(async (context) => {
        const { purpose, label, overlap: othersEndAfterSeconds } = options
        const made = await makeKey(
          toConnectionDeps(context),
          name,
          { purpose, label, othersEndAfterSeconds },
          context.author,
        )
        if (options.json === true) return printJson({ key: made.secret, ...showKey(made.key), limited: made.limited })
        printTable(
          ['', name],
          [
            ['key', made.secret],
            ['purpose', purpose],
            ['id', made.key.id],
          ],
        )
        printLine('The key is shown once. ' + describeOthers(made.limited, othersEndAfterSeconds))
      }),
    )
}

function describeOthers(limited: number, seconds: number | undefined): string {
  if (seconds === undefined)
    return 'Other keys stay valid; end them with --overlap, or revoke them through the admin API.'
  return `${limited} other keys end in ${seconds} s.`
}

function buildRemove(within: WithinContext): Command {
  return new Command('remove')
    .description('Archives a connection: its keys open nothing any more. Adding it again resumes the same identity.')
    .argument('<name>')
    .option('--reason <reason>', 'why; kept in the audit log')
    .action((name: string, options: { reason?: string }) =>
      within(async (context) => {
        await archiveConnection(toConnectionDeps(context), name, options.reason, context.author)
        const waiting = await countJobs(context.db, name)
        printLine(`${name} is archived${waiting === 0 ? '' : `; ${waiting} jobs wait until it is added again`}`)
      }),
    )
}
