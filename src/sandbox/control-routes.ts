// Control routes are ours: neither Reten nor YOM has anything under /sandbox. They steer a stand-in and show what it
// knows, to tests and to a person with curl.
import type { FastifyInstance } from 'fastify'
import type { SandboxClock } from './clock.ts'
import { faultKindsAt, faultPlaces, type FaultKind, type FaultPlace } from './fault-kinds.ts'
import type { FaultOptions, Faults } from './faults.ts'

/** What every stand-in lets be steered. */
export interface ControlRoutesOptions<Switches> {
  readonly clock: SandboxClock
  readonly faults: Faults
  readonly switchesSchema: object
  readonly switches: () => Switches
  readonly setSwitches: (change: Partial<Switches>) => void
}

const chance = { type: 'number', minimum: 0, maximum: 1 } as const

const chancesAt = (place: FaultPlace): object => ({
  type: 'object',
  additionalProperties: false,
  properties: Object.fromEntries(faultKindsAt[place].map((kind) => [kind, chance])),
})

const faultOptionsSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    profile: { enum: ['none', 'some', 'storm'] },
    seed: { type: ['string', 'number'] },
    odds: {
      type: 'object',
      additionalProperties: false,
      properties: Object.fromEntries(faultPlaces.map((place) => [place, chancesAt(place)])),
    },
    mostPerKey: { type: 'integer', minimum: 0 },
  },
} as const

const scriptSchema = {
  type: 'object',
  required: ['place', 'kinds'],
  oneOf: faultPlaces.map((place) => ({
    type: 'object',
    additionalProperties: false,
    properties: {
      place: { const: place },
      kinds: { type: 'array', items: { enum: [...faultKindsAt[place], 'none'] } },
    },
  })),
}

/** Adds `/sandbox/switches`, `/sandbox/faults`, `/sandbox/faults/script` and `/sandbox/clock`. */
export const addControlRoutes = <Switches>(app: FastifyInstance, options: ControlRoutesOptions<Switches>): void => {
  const { clock, faults } = options

  app.get('/sandbox/switches', () => options.switches())
  app.patch('/sandbox/switches', { schema: { body: options.switchesSchema } }, (request) => {
    // The schema, which the stand-in keeps beside its switches, has checked the body.
    options.setSwitches(request.body as Partial<Switches>)
    return options.switches()
  })

  const describeFaults = (): object => ({ profile: faults.profile(), struck: faults.counts() })
  app.get('/sandbox/faults', describeFaults)
  app.post<{ Body: FaultOptions }>('/sandbox/faults', { schema: { body: faultOptionsSchema } }, (request) => {
    faults.configure(request.body)
    return describeFaults()
  })
  app.post<{ Body: { place: FaultPlace; kinds: (FaultKind | 'none')[] } }>(
    '/sandbox/faults/script',
    { schema: { body: scriptSchema } },
    (request) => {
      faults.script(request.body.place, request.body.kinds)
      return describeFaults()
    },
  )

  const describeClock = (): object => ({ now: clock.nowIso(), speed: clock.speed })
  app.get('/sandbox/clock', describeClock)
  app.post<{ Body: { advance_ms: number } }>(
    '/sandbox/clock/advance',
    {
      schema: {
        body: {
          type: 'object',
          required: ['advance_ms'],
          additionalProperties: false,
          properties: { advance_ms: { type: 'integer', minimum: 0 } },
        },
      },
    },
    (request) => {
      clock.advance(request.body.advance_ms)
      return describeClock()
    },
  )
}
