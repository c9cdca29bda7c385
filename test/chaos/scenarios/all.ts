import type { Scenario } from '../scenario.ts'
import { DEPLOY_SCENARIOS } from './deploy.ts'
import { KILLED_SCENARIOS, STORM_SCENARIO } from './killed.ts'
import { PINNED_SCENARIO } from './pinned.ts'
import { POSTGRES_SCENARIOS } from './postgres.ts'
import { SILENT_SCENARIOS } from './silent.ts'

/** Every scenario, in the order it is played. */
export const SCENARIOS: readonly Scenario[] = [
  ...POSTGRES_SCENARIOS,
  ...KILLED_SCENARIOS,
  ...SILENT_SCENARIOS,
  ...DEPLOY_SCENARIOS,
  PINNED_SCENARIO,
  STORM_SCENARIO,
]
