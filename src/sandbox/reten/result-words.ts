import type { ActivityStatus, CoreResultStatus } from './records.ts'
import type { RetenSwitches } from './switches.ts'

/** The integration family's words for a result. */
export const integrationResultStatuses = ['EFFECTIVE', 'NOT_EFFECTIVE', 'PENDING'] as const

/** One of the integration family's words. */
export type IntegrationResultStatus = (typeof integrationResultStatuses)[number]

/** The core word for an integration word. How NOT_EFFECTIVE moves an activity is undocumented: a switch decides. */
export const toCoreStatus = (status: IntegrationResultStatus, switches: RetenSwitches): CoreResultStatus => {
  switch (status) {
    case 'EFFECTIVE':
      return 'COMPLETED'
    case 'NOT_EFFECTIVE':
      return switches.notEffectiveBecomes === 'FAILED' ? 'NOT_EXECUTED' : 'COMPLETED'
    case 'PENDING':
      return 'PENDING'
  }
}

/** The integration word for a stored result; for the core family's words this is an assumption. */
export const toIntegrationResultStatus = (resultStatus: string): IntegrationResultStatus => {
  switch (resultStatus) {
    case 'EFFECTIVE':
    case 'COMPLETED':
    case 'TRANSFERRED':
      return 'EFFECTIVE'
    case 'PENDING':
      return 'PENDING'
    default:
      return 'NOT_EFFECTIVE'
  }
}

/** What a result makes of its activity (documented for the core words); `undefined`: it stays as it is. */
export const statusAfter = (status: CoreResultStatus): ActivityStatus | undefined => {
  switch (status) {
    case 'PENDING':
      return undefined
    case 'COMPLETED':
    case 'TRANSFERRED':
      return 'COMPLETED'
    case 'NOT_EXECUTED':
      return 'FAILED'
    case 'CANCELED':
      return 'CANCELED'
  }
}
