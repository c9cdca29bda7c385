// One logger for the process: JSON lines, pretty on a terminal. Whatever could hold a secret is cut here as a last net;
// no call site logs bodies, keys or tokens in the first place.
import { pino } from 'pino'
import type { DestinationStream, Logger } from 'pino'

export type { Logger } from 'pino'

const REDACTED_PATHS = [
  'headers',
  'body',
  'req.headers',
  'apiKey',
  'token',
  'secret',
  'password',
  'authorization',
  '*.apiKey',
  '*.token',
  '*.secret',
  '*.password',
  '*.authorization',
  // Where PostgreSQL describes the row or the value it refused.
  'err.detail',
  'err.where',
]

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
    redact: { paths: REDACTED_PATHS, censor: '[redacted]' },
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  }
  if (options.destination !== undefined) return pino(settings, options.destination)
  if (options.isPretty) {
    const transport = { target: 'pino-pretty', options: PRETTY }
    // A transport thread cannot take the level formatter; pretty lines name the level themselves.
    const { formatters: _formatters, ...rest } = settings
    return pino({ ...rest, transport })
  }
  return pino(settings)
}

/** A logger that says nothing, for commands whose own output is what counts, and for tests. */
export function createSilentLogger(): Logger {
  return pino({ level: 'silent' })
}
