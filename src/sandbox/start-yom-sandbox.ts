import type { FastifyBaseLogger } from 'fastify'
import { randomUUID } from 'node:crypto'
import { createBackground } from './background.ts'
import { createSandboxClock, type SandboxClock } from './clock.ts'
import { addControlRoutes } from './control-routes.ts'
import { createFaults, type FaultOptions, type Faults } from './faults.ts'
import { createSandboxServer, listen } from './http-server.ts'
import type { DrawKey } from './seeded-random.ts'
import { countYom, type YomCounts } from './yom/inspect.ts'
import type { Task, TaskOutcome, WebhookSend } from './yom/records.ts'
import { yomErrorBody } from './yom/refuse.ts'
import { addSandboxRoutes } from './yom/sandbox-routes.ts'
import { createYomState, type WebhookTarget, type YomCredentials } from './yom/state.ts'
import { yomSwitchesSchema, type YomSwitches } from './yom/switches.ts'
import { addTaskRoutes } from './yom/task-routes.ts'
import { createWebhookSender } from './yom/webhook-sender.ts'
import { createWorker } from './yom/worker.ts'

/** How YOM's stand-in is started. */
export interface YomSandboxOptions {
  /** Default 127.0.0.1. */
  readonly host?: string
  /** 0 chooses a free one. */
  readonly port: number
  /** Default: real time. Share it with Reten's stand-in. */
  readonly clock?: SandboxClock
  readonly switches?: Partial<YomSwitches>
  readonly faults?: FaultOptions
  readonly logger?: FastifyBaseLogger
  /** Makes ids, credentials and choices repeat themselves. Default: another one each time. */
  readonly seed?: DrawKey
  /** Where to call back; can be set later. */
  readonly webhook?: WebhookTarget
  /** What opens the stand-in; what is left out is drawn. */
  readonly apiKey?: string
  readonly clientId?: string
  readonly clientSecret?: string
  /** Where tasks are: our assumption, as YOM publishes no path. Default `/activities`. */
  readonly taskPath?: string
  /** How long a `slow` fault holds an answer back at most, in real milliseconds. Default 300. */
  readonly slowMs?: number
  /** Webhooks under way at once. Default 32. */
  readonly webhookConcurrency?: number
}

/** YOM's stand-in, running. */
export interface YomSandbox {
  /** The origin. Paths may begin with `/api/v2`, as YOM's documented base URLs end, or leave that out. */
  readonly url: string
  readonly credentials: Readonly<Pick<YomCredentials, 'apiKey' | 'clientId' | 'clientSecret'>>
  readonly clock: SandboxClock
  readonly faults: Faults
  switches(): YomSwitches
  setSwitches(change: Partial<YomSwitches>): void
  setWebhook(target: WebhookTarget | undefined): void
  /** Makes every token issued so far useless. */
  revokeTokens(): void
  /** Replaces the API key; the old one is refused from now on. */
  setApiKey(apiKey: string): void
  counts(): YomCounts
  /** The live records: look, don't touch. */
  tasks(): Task[]
  /** Tasks for one id of ours; more than one means that work is done twice. */
  tasksFor(externalId: string): readonly Task[]
  /** Ends a task now, by YOM's id or ours; `false` when it has ended or is unknown. */
  finishTask(id: string, outcome?: Partial<TaskOutcome>): boolean
  /** Tells the last event of a task once more. */
  resendWebhook(id: string): boolean
  /** POSTs any body to the webhook, once. */
  postWebhook(body: unknown): Promise<WebhookSend>
  /** Resolves when no webhook is under way; those waiting for their time are not waited for. */
  idle(): Promise<void>
  /** Resolves when every task has ended and everything is told; never, on a clock that stands still. */
  drained(): Promise<void>
  close(): Promise<void>
}

/** Starts a stand-in for YOM. Its tasks, webhooks and errors are our assumptions: YOM publishes nothing about them. */
export const startYomSandbox = async (options: YomSandboxOptions): Promise<YomSandbox> => {
  const seed = options.seed ?? randomUUID()
  const clock = options.clock ?? createSandboxClock()
  const state = createYomState(clock, seed, withoutUndefined(options), options.switches)
  state.webhook = options.webhook
  const faults = createFaults(seed, options.faults)
  const taskPath = options.taskPath ?? '/activities'

  const app = createSandboxServer({
    ...(options.logger === undefined ? {} : { logger: options.logger }),
    optionalPrefix: '/api/v2',
    errorBody: (statusCode, messages) => yomErrorBody(statusCode, messages.join('; ')),
  })
  const background = createBackground({ clock, concurrency: options.webhookConcurrency ?? 32, logger: app.log })
  const sender = createWebhookSender(state, background)
  const worker = createWorker(state, background, sender, faults)
  const setSwitches = (change: Partial<YomSwitches>): void => {
    state.switches = { ...state.switches, ...change }
  }
  addTaskRoutes(app, { state, faults, worker, taskPath, slowMs: options.slowMs ?? 300 })
  addSandboxRoutes(app, { state, worker, sender, background, taskPath })
  addControlRoutes(app, {
    clock,
    faults,
    switchesSchema: yomSwitchesSchema,
    switches: () => state.switches,
    setSwitches,
  })

  const taskOf = (id: string): Task | undefined => state.tasks.get(id) ?? state.byExternalId.get(id)?.[0]
  const url = await listen(app, options)

  return {
    url,
    credentials: state.credentials,
    clock,
    faults,
    switches: () => state.switches,
    setSwitches,
    setWebhook: (target) => {
      state.webhook = target
    },
    revokeTokens: () => {
      state.tokenGeneration += 1
    },
    setApiKey: (apiKey) => {
      state.credentials.apiKey = apiKey
    },
    counts: () => countYom(state),
    tasks: () => [...state.tasks.values()],
    tasksFor: (externalId) => state.byExternalId.get(externalId) ?? [],
    finishTask: (id, outcome) => {
      const task = taskOf(id)
      return task !== undefined && worker.finish(task, outcome)
    },
    resendWebhook: (id) => {
      const event = taskOf(id)?.events.at(-1)
      if (event !== undefined) sender.send(event)
      return event !== undefined
    },
    postWebhook: (body) => sender.post(body),
    idle: () => background.idle(),
    drained: () => background.drained(),
    close: async () => {
      await app.close()
      // First, so that a receiver that never answers does not hold up the rest.
      await sender.close()
      await background.close()
    },
  }
}

const withoutUndefined = ({ apiKey, clientId, clientSecret }: YomSandboxOptions): Partial<YomCredentials> => ({
  ...(apiKey === undefined ? {} : { apiKey }),
  ...(clientId === undefined ? {} : { clientId }),
  ...(clientSecret === undefined ? {} : { clientSecret }),
})
