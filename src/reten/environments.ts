/** Reten's API origins by environment. Every path below them begins with `/api`. Source: Reten's "Getting started" page. */
export const RETEN_ENVIRONMENTS = Object.freeze({
  production: 'https://api.reten.ai',
  staging: 'https://api-staging.reten.ai',
  development: 'https://api-development.reten.ai',
  local: 'http://localhost:3000',
})

export type RetenEnvironment = keyof typeof RETEN_ENVIRONMENTS

/** Whether `name` is one of Reten's environments. */
export function isRetenEnvironment(name: string): name is RetenEnvironment {
  return Object.hasOwn(RETEN_ENVIRONMENTS, name)
}
