// Fastify and graphile-worker: `addJob()` per request. Its utils are made once, as its guide asks of whoever adds more than one
// job; no named queue and no job key, each of which would be one more row to lock.
import { makeWorkerUtils } from 'graphile-worker'
import { servePeer, setting } from './peer-app.ts'

const utils = await makeWorkerUtils({
  connectionString: setting('DATABASE_URL'),
  maxPoolSize: Number(setting('POOL_SIZE')),
})
await utils.migrate()
await servePeer({
  add: async (activity) => (await utils.addJob('deliver', activity)).id,
  close: async () => utils.release(),
})
