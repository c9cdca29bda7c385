// What one would write without this service: Fastify with its usual JSON parsing and a schema for the body, and one call of a
// queue library per request, answered once that has resolved. No authentication, no log, no security headers, no recognising
// of repeats: all of that would only make it slower.
import { fastify } from 'fastify'

const ACTIVITY_SCHEMA = {
  type: 'object',
  required: ['id', 'commerce'],
  properties: {
    id: { type: 'string', minLength: 1, maxLength: 200 },
    type: { type: 'string' },
    channel: { type: 'string' },
    scheduledAt: { type: 'string', format: 'date-time' },
    commerce: {
      type: 'object',
      required: ['externalId'],
      properties: { externalId: { type: 'string' }, name: { type: 'string' } },
    },
    operator: { type: 'object', properties: { externalId: { type: 'string' } } },
    attributes: { type: 'array' },
  },
}
const ANSWER_SCHEMA = { type: 'object', properties: { id: { type: 'string' }, status: { type: 'string' } } }

export interface Queue {
  /** Resolves with the job's id once the job is stored. */
  readonly add: (activity: object) => Promise<string>
  readonly close: () => Promise<void>
}

/** Serves POST /activities on PORT until SIGTERM. */
export async function servePeer(queue: Queue): Promise<void> {
  const app = fastify()
  const schema = { body: ACTIVITY_SCHEMA, response: { 201: ANSWER_SCHEMA } }
  app.post('/activities', { schema }, async (request, reply) => {
    const id = await queue.add(request.body as object) // the schema has checked it
    return reply.code(201).send({ id, status: 'RECEIVED' })
  })
  app.get('/readyz', async () => ({ status: 'ready' }))
  await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT']) })
  process.on('SIGTERM', () => void app.close().then(() => queue.close()))
}

/** A setting that targets.ts hands over. */
export function setting(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set`)
  return value
}
