// What settings say about themselves, before anything is asked of anybody.
import type { Config } from '../config.ts'
import type { AppError } from '../errors.ts'
import { failed, ok, warning } from './finding.ts'
import type { Finding } from './finding.ts'

/** One finding for every wrong setting; `error` is loadConfig's RCV_CONFIG_INVALID. */
export function describeWrongSettings(error: AppError): readonly Finding[] {
  return (error.details ?? []).map(({ path, message }) => ({
    check: 'setting',
    ...failed(`${path} ${message}`, `correct ${path}; README.md, Settings, says what it takes`),
  }))
}

/** What is right and what is missing of settings that are valid. */
export function describeSettings(config: Config): readonly Finding[] {
  const missing = config.adminTokens.length === 0
  return [
    { check: 'settings', ...ok('all valid') },
    missing
      ? {
          check: 'admin token',
          ...warning('without one the admin API refuses everything', 'set ADMIN_TOKEN: openssl rand -hex 32'),
        }
      : { check: 'admin token', ...ok(`${config.adminTokens.length} set`) },
  ]
}
