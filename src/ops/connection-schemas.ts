// What the routes for connections take. The names within `settings` are checked by schemas/connection-settings.json.
import { REASON_SCHEMA } from './reason.ts'

const NULLABLE_TEXT = ['string', 'null']
const TEXT_MAP = { type: 'object', additionalProperties: { type: 'string', minLength: 1, maxLength: 4_000 } }
const INSTANT = { type: 'string', format: 'date-time' }

/** `POST /admin/connections` */
export const NEW_CONNECTION = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'provider'],
  properties: {
    name: { type: 'string', description: 'a-z, 0-9, "_", "-"; part of every dispatch id, it never changes.' },
    provider: { type: 'string', minLength: 1, description: 'Which adapter delivers.' },
    retenBaseUrl: { type: 'string', minLength: 1, description: "Reten's origin, without /api." },
    retenApiKey: { type: 'string', minLength: 1, maxLength: 4_000, description: 'Stored sealed, never shown again.' },
    settings: { type: 'object', description: 'See connection-settings.json.' },
    providerSettings: { type: 'object', description: "The adapter's own settings." },
    providerSecrets: { ...TEXT_MAP, description: 'Stored sealed, never shown again.' },
  },
}

/** `PATCH /admin/connections/{name}`: what is absent stays, null removes. */
export const CONNECTION_CHANGE = {
  type: 'object',
  additionalProperties: false,
  minProperties: 1,
  properties: {
    retenBaseUrl: { type: NULLABLE_TEXT, minLength: 1, description: "Reten's origin, without /api." },
    retenApiKey: { type: NULLABLE_TEXT, minLength: 1, maxLength: 4_000, description: 'Stored sealed.' },
    settings: { type: 'object', description: 'Single settings; null goes back to the default.' },
    providerSettings: { type: 'object', description: "Single settings of the adapter's; null removes." },
    providerSecrets: {
      type: 'object',
      additionalProperties: { type: NULLABLE_TEXT, minLength: 1, maxLength: 4_000 },
      description: 'Single secrets; null removes.',
    },
  },
}

/** `POST /admin/connections/{name}/pause` */
export const PAUSE = {
  type: 'object',
  additionalProperties: false,
  required: ['reason'],
  properties: { reason: REASON_SCHEMA },
}

/** The query of `DELETE /admin/connections/{name}`. */
export const ARCHIVE_QUERY = { type: 'object', additionalProperties: false, properties: { reason: REASON_SCHEMA } }

/** The query of `GET /admin/connections`. */
export const CONNECTIONS_QUERY = {
  type: 'object',
  additionalProperties: false,
  properties: {
    state: { enum: ['active', 'paused', 'archived'], description: 'Default: all but the archived ones.' },
  },
}

/** `POST /admin/connections/{name}/keys` */
export const NEW_KEY = {
  type: ['object', 'null'],
  additionalProperties: false,
  properties: {
    purpose: {
      enum: ['dispatch', 'webhook'],
      description: "Reten's dispatches (default), or the provider's webhooks.",
    },
    label: { type: 'string', minLength: 1, maxLength: 100, description: 'To tell it from others.' },
    notBefore: { ...INSTANT, description: 'It opens nothing before.' },
    notAfter: { ...INSTANT, description: 'It opens nothing from then on.' },
  },
}
