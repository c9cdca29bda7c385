import type { FastifyInstance } from 'fastify'
import { addActivityActionRoutes } from './activity-action-routes.ts'
import { addActivityConfigRoutes } from './activity-config-routes.ts'
import { addActivityRoutes } from './activity-routes.ts'
import { addApiKeyRoutes } from './api-key-routes.ts'
import { addCoreResultRoutes } from './core-result-routes.ts'
import { addCreationRoutes } from './creation-routes.ts'
import type { ActivityDispatch } from './dispatch-activity.ts'
import { addDispatchConfigRoutes } from './dispatch-config-routes.ts'
import { addMasterDataRoutes } from './master-data-routes.ts'
import type { RetenState } from './state.ts'

/** Adds every documented route outside `/integration`: a user's token and tenant, or an API key. */
export const addCoreRoutes = (app: FastifyInstance, state: RetenState, attempts: ActivityDispatch): void => {
  addActivityRoutes(app, state)
  addCreationRoutes(app, state)
  addActivityActionRoutes(app, state, attempts)
  addCoreResultRoutes(app, state)
  addApiKeyRoutes(app, state)
  addDispatchConfigRoutes(app, state)
  addActivityConfigRoutes(app, state)
  addMasterDataRoutes(app, state)
}
