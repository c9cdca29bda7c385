// What Reten's dispatch configurations say of where it pushes to.
import type { RetenAnswer } from '../reten/reten-answer.ts'
import type { RetenDispatchConfig, RetenDispatchConfigs } from '../schema-types.ts'
import { failed, ok, unchecked } from './finding.ts'
import type { Verdict } from './finding.ts'
import { wordsOf } from './reten-talk.ts'

const PANEL = "Reten's panel, Activities > Dispatch Configuration"

/** Whether Reten is told to push here. What the configuration holds as our key, nobody can read back. */
export function judgeDispatchConfigs(
  answer: RetenAnswer<RetenDispatchConfigs>,
  publicUrl: string | undefined,
): Verdict {
  if (answer.kind !== 'ok') {
    // Documented for users; a key that may not see it is no fault.
    return unchecked(`the key may not read it or cannot now (${wordsOf(answer)})`, `look it up in ${PANEL}`)
  }
  const configs = answer.value
  const listed = configs.map(describeConfig).join('; ')
  if (configs.length === 0) {
    return failed('the tenant has none, so Reten pushes nothing', `create one in ${PANEL}, and activate it`)
  }
  if (publicUrl === undefined) {
    return configs.some((config) => config.isActive)
      ? ok(`${listed}; give --public-url to have the address compared`)
      : failed(`none is active: ${listed}`, `activate it in ${PANEL}`)
  }
  const ours = configs.filter((config) => normalize(config.baseUrl) === normalize(publicUrl))
  const advice = `enter ${publicUrl} as endpoint URL (Reten appends /activities) in ${PANEL}, and activate it`
  if (ours.length === 0) return failed(`none names ${publicUrl}: ${listed}`, advice)
  const active = ours.filter((config) => config.isActive)
  if (active.length === 0) return failed(`the one for ${publicUrl} is not active`, `activate it in ${PANEL}`)
  return ok(`active for ${publicUrl}: ${active.map((config) => config.channel ?? 'any channel').join(', ')}`)
}

function describeConfig({ dispatchProvider, channel, baseUrl, isActive }: RetenDispatchConfig): string {
  const provider = dispatchProvider?.code ?? 'a provider'
  return `${provider} ${channel ?? ''} to ${shown(baseUrl)}${isActive ? '' : ' (not active)'}`
}

/** Without a user, a password and a query, which may hold a secret. */
function shown(baseUrl: string | null): string {
  const url = URL.parse(baseUrl ?? '')
  return url === null ? 'an address that is none' : url.origin + url.pathname
}

function normalize(baseUrl: string | null): string {
  return (URL.parse(baseUrl ?? '')?.href ?? '').replace(/\/+$/, '')
}
