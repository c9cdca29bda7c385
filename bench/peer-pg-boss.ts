// Fastify and pg-boss: `send()` per request, to a queue of its own.
import { PgBoss } from 'pg-boss'
import { servePeer, setting } from './peer-app.ts'

const QUEUE = 'deliver'

const boss = new PgBoss({ connectionString: setting('DATABASE_URL'), max: Number(setting('POOL_SIZE')) })
boss.on('error', (error) => process.stderr.write(`pg-boss: ${error.message}\n`))
await boss.start()
await boss.createQueue(QUEUE)
await servePeer({
  add: async (activity) => {
    const id = await boss.send(QUEUE, activity)
    if (id === null) throw new Error('pg-boss stored nothing')
    return id
  },
  close: () => boss.stop(),
})
