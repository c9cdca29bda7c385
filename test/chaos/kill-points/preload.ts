// Loaded into a service before anything else, by tests only (node --import): the process kills itself where it crosses a point
// for the n-th time, or tells every point it crosses. Points lie around every statement, every call and every answer that a dispatch depends on; none of them is in the
// source of the service.
import { subscribe } from 'node:diagnostics_channel'
import { writeSync } from 'node:fs'
import { ServerResponse } from 'node:http'
import type { IncomingMessage } from 'node:http'
import pg from 'pg'

/** Which crossing is the last: the name of a point, with "#2" where it is its second crossing. Empty: none, and all are told. */
const KILL_AT = process.env['KILL_AT']

// What a dispatch does not depend on comes and goes by the clock and would make the counting random.
const IGNORED = [
  /pg_notify/,
  /^listen/i,
  /periodic_leases/,
  /^\s*with expired as/, // the rescue
  /^\s*with slice as/,
  /as oldest/,
  /from provider_events\s+where matched_at is null/,
  /^select 1/,
  /recursive/, // which connections have something due
  /"?connection_keys"?|from "connections" (where "state"|order)/,
  /count\(/,
  /^select name from connections where "(reporting_)?state" = 'paused'/,
  /^select "name", "provider", "origin"/, // the catalog
  /pg_is_in_recovery/,
]

const NAMES: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['store', /insert into dispatches /],
  ['quarantine', /insert into "quarantine"/],
  ['claim', /update jobs set\s+leased_until = \S+ \+/],
  ['repeat', /set "repeats"/],
  ['keep body', /insert into dispatch_bodies/],
  ['lock connections', /^select "name" from "connections"/],
  ['load deliveries', /^select "d"."id" as "dispatchId"/],
  ['load reports', /^select "r"."id" as "resultId"/],
  ['find dispatch', /^select "id", "activity_id" from "dispatches"/],
  ['settle delivery', /with ledger as/],
  ['settle report', /\breported as \(/],
  ['keep event', /insert into "provider_events"/],
  ['apply event', /with target as materialized/],
]

let isArmed = false
const crossings = new Map<string, number>()

function cross(name: string): void {
  if (!isArmed || KILL_AT === undefined) return
  const times = (crossings.get(name) ?? 0) + 1
  crossings.set(name, times)
  const place = times === 1 ? name : `${name} #${times}`
  if (KILL_AT === '') writeSync(2, `crossed ${place}\n`)
  if (KILL_AT !== place) return
  process.kill(process.pid, 'SIGKILL')
}

/** The first dispatch arms it: how the service got there is no part of what is asked. */
subscribe('http.server.request.start', (message) => {
  const { request } = message as { readonly request: IncomingMessage } // documented of this channel
  isArmed ||= request.url === '/activities'
  cross(`begin ${request.url}`)
})

const { end } = ServerResponse.prototype
ServerResponse.prototype.end = function (this: ServerResponse, ...args: Parameters<typeof end>) {
  cross(`before the answer to ${this.req.url}`)
  const ended = end.apply(this, args)
  cross(`after the answer to ${this.req.url}`)
  return ended
} as typeof end

for (const step of [
  'request:create',
  'client:sendHeaders',
  'request:bodySent',
  'request:headers',
  'request:trailers',
]) {
  subscribe(`undici:${step}`, (message) => {
    const { request } = message as { readonly request: { readonly path: string } } // documented of these channels
    cross(`${step} ${request.path.replace(/\?.*/, '')}`)
  })
}

type Query = (this: object, ...args: unknown[]) => unknown
const lastStatement = new WeakMap<object, string>()
// pg.Client's query has a dozen signatures; whatever it is called with is passed on.
const prototype = pg.Client.prototype as unknown as { query: Query }
const { query } = prototype
prototype.query = function (this: object, ...args: unknown[]) {
  const name = nameOf(this, args[0])
  if (name === undefined) return query.apply(this, args)
  cross(`before ${name}`)
  const result = query.apply(this, args)
  if (!(result instanceof Promise)) return result
  return result.finally(() => cross(`after ${name}`))
}

function nameOf(client: object, statement: unknown): string | undefined {
  const text = textOf(statement)?.trim()
  if (text === undefined) return undefined
  const isControl = /^(begin|start transaction|commit|rollback)/i.test(text)
  if (isControl && /^(commit|rollback)/i.test(text))
    return `${text.toLowerCase()} of ${lastStatement.get(client) ?? '?'}`
  const known = NAMES.find(([, pattern]) => pattern.test(text))?.[0]
  if (isControl || (known === undefined && IGNORED.some((pattern) => pattern.test(text)))) return undefined
  const name = known ?? text.replaceAll(/\s+/g, ' ').slice(0, 60)
  lastStatement.set(client, name)
  return name
}

/** A statement as text, or prepared under a name. */
function textOf(statement: unknown): string | undefined {
  if (typeof statement === 'string') return statement
  const isPrepared = typeof statement === 'object' && statement !== null && 'text' in statement
  return isPrepared && typeof statement.text === 'string' ? statement.text : undefined
}
