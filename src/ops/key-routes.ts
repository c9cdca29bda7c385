// A connection's keys through the admin API.
import type { FastifyInstance } from 'fastify'
import { isUuid } from '../dispatch/identity.ts'
import { AppError } from '../errors.ts'
import { authorOf } from './authorize.ts'
import { NEW_KEY } from './connection-schemas.ts'
import { showKey } from './connection-view.ts'
import type { ConnectionDeps } from './connections.ts'
import { endKey, findKeys, makeKey } from './keys.ts'
import type { KeyInput } from './keys.ts'

interface ByName {
  readonly Params: { readonly name: string }
}

interface ByNameAndId {
  readonly Params: { readonly name: string; readonly id: string }
}

/** Registers the routes below `/admin/connections/{name}/keys`. */
export function registerKeyRoutes(app: FastifyInstance, deps: ConnectionDeps): void {
  app.get<ByName>('/connections/:name/keys', { config: { role: 'viewer' } }, async (request) => {
    const keys = await findKeys(deps, request.params.name)
    return { data: keys.map(showKey), meta: { limit: keys.length, next_cursor: null } }
  })

  app.post<ByName & { Body: Partial<KeyInput> | null | undefined }>(
    '/connections/:name/keys',
    { schema: { body: NEW_KEY } },
    async (request, reply) => {
      const input = { purpose: 'dispatch' as const, ...request.body }
      const made = await makeKey(deps, request.params.name, input, authorOf(request))
      // Shown this once: no cache may keep it.
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ key: made.secret, ...showKey(made.key) })
    },
  )

  app.delete<ByNameAndId>('/connections/:name/keys/:id', async (request, reply) => {
    const { name, id } = request.params
    if (!isUuid(id)) throw new AppError('RCV_KEY_NOT_FOUND', `connection ${name} has no key ${id}`)
    await endKey(deps, name, id, authorOf(request))
    return reply.code(204).send()
  })
}
