// npm run migrate: applies migrations/, prints what it did, exits.
import { Command } from 'commander'
import { loadConfig } from '../config.ts'
import { createSilentLogger } from '../logger.ts'
import { migrate, readMigrationState } from '../store/migrate.ts'
import { ensureDayPartitions } from '../store/partitions.ts'
import { assertReachable, findDatabase, openForMigrations } from './open-database.ts'
import { runCommand } from './run-command.ts'

await runCommand(async (variables) => {
  new Command('npm run migrate')
    .description(
      'Applies the migrations the database lacks. Uses DATABASE_DIRECT_URL or DATABASE_URL, else the embedded one.',
    )
    .exitOverride()
    .parse()
  const logger = createSilentLogger()
  const source = await findDatabase(loadConfig(variables), logger)
  const handle = openForMigrations(source.directUrl, logger)
  try {
    await assertReachable(handle, source.directUrl)
    const applied = await migrate(handle.db)
    for (const name of applied) process.stdout.write(`applied ${name}\n`)
    if (applied.length === 0) process.stdout.write('nothing to apply, the database is up to date\n')
    const { unknown } = await readMigrationState(handle.db)
    if (unknown.length > 0) process.stdout.write(`applied by a newer release, compatible: ${unknown.join(', ')}\n`)
    const partitions = await ensureDayPartitions(handle.db)
    if (partitions > 0) process.stdout.write(`made ${partitions} day partitions\n`)
  } finally {
    await handle.close()
    await source.stop()
  }
})
