// One logger for the process: JSON lines, pretty on a terminal. Whatever could hold a secret is cut here as a last net;
// no call site logs bodies, keys or tokens in the first place.
import { pino } from 'pino'
import type { DestinationStream, Logger } from 'pino'

import { SECOND_MS } from './time.ts'

export type { Logger } from 'pino'

// Names whose values are never written, at the top of a line or one level down.
const SECRET_NAMES: ReadonlySet<string> = new Set(['apiKey', 'token', 'secret', 'password', 'authorization'])
// Names whose values are cut as a whole, wherever they stand.
const WHOLE_NAMES: ReadonlySet<string> = new Set(['headers', 'body'])
const CENSORED = '[redacted]'

// One line for each step, the step's name first: a person reads it as it goes by.
const PRETTY = {
  ignore: 'pid,hostname,event,requestId',
  translateTime: 'SYS:HH:MM:ss.l',
  messageFormat: '{event} {msg}',
  singleLine: true,
}

export interface LoggerOptions {
  readonly level: string
  /** Pretty, coloured lines for a person; JSON lines for a machine. */
  readonly isPretty: boolean
  /** Where to write; default standard output. */
  readonly destination?: DestinationStream
}

/** Builds the process's logger. */
export function createLogger(options: LoggerOptions): Logger {
  const settings = {
    level: options.level,
    base: null,
    serializers: { err: describeError },
    formatters: { level: (label: string) => ({ level: label }), log: censor },
    timestamp: createIsoTime(),
  }
  if (options.destination !== undefined) return pino(settings, options.destination)
  if (options.isPretty) {
    const transport = { target: 'pino-pretty', options: PRETTY }
    // A transport thread cannot take the level formatter; pretty lines name the level themselves.
    return pino({ ...settings, formatters: { log: censor }, transport })
  }
  const stdout = pino.destination({ fd: STDOUT, sync: false })
  const logger = pino(settings, stdout)
  streams.set(logger, stdout)
  return logger
}

const STDOUT = 1
const UNREAD_TIMEOUT_MS = 500

const streams = new WeakMap<Logger, ReturnType<typeof pino.destination>>()

/**
 * Resolves once a line that was just logged is written, and all before it. pino's own `flush` calls back while the line before
 * is still on its way, and a process that exits then writes its last two lines in the wrong order. Waits for nobody who does
 * not read: half a second at most.
 */
export function whenWritten(logger: Logger): Promise<void> {
  const stream = streams.get(logger)
  return new Promise((resolve) => {
    if (stream === undefined) {
      logger.flush(() => resolve())
      return
    }
    stream.once('drain', () => resolve())
    setTimeout(resolve, UNREAD_TIMEOUT_MS)
  })
}

/** A logger that says nothing, for commands whose own output is what counts, and for tests. */
export function createSilentLogger(): Logger {
  return pino({ level: 'silent' })
}

/**
 * The line without what must not be in it. pino's own redaction walks its list of paths through every line and made a line
 * cost three times as much; this looks at the names a line has.
 */
function censor(line: Readonly<Record<string, unknown>>): Record<string, unknown> {
  let censored: Record<string, unknown> | undefined
  for (const name in line) {
    const value = line[name]
    const kept = SECRET_NAMES.has(name) || WHOLE_NAMES.has(name) ? CENSORED : censorHeld(value)
    if (kept !== value) (censored ??= { ...line })[name] = kept
  }
  return censored ?? line
}

function censorHeld(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Error) return value
  const names = Object.keys(value).filter((name) => SECRET_NAMES.has(name) || WHOLE_NAMES.has(name))
  return names.length === 0 ? value : { ...value, ...Object.fromEntries(names.map((name) => [name, CENSORED])) }
}

/** An error without what PostgreSQL says of the row or the value it refused. */
function describeError(error: Error): object {
  const { detail: _detail, where: _where, ...told } = pino.stdSerializers.err(error)
  return told
}

/** The time of a line; the part up to the second is written once a second. */
function createIsoTime(): () => string {
  let second = Number.NaN
  let prefix = ''
  return () => {
    const nowMs = Date.now()
    const thisSecond = Math.floor(nowMs / SECOND_MS)
    if (thisSecond !== second) {
      second = thisSecond
      prefix = `,"time":"${new Date(second * SECOND_MS).toISOString().slice(0, -'000Z'.length)}`
    }
    return `${prefix}${String(nowMs % SECOND_MS).padStart(3, '0')}Z"`
  }
}
