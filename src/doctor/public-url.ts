// Whether others reach this service under its public address, and reach this service and nothing else there.
import { readJson, readRecord } from '../http-answer.ts'
import { HttpFault } from '../http-client.ts'
import type { HttpAnswer, HttpClient, HttpRequest } from '../http-client.ts'
import { SECOND_MS } from '../time.ts'
import { failed, ok, warning } from './finding.ts'
import type { Verdict } from './finding.ts'
import type { Check } from './run-checks.ts'

const TIMEOUT_MS = 8 * SECOND_MS
const MAX_RESPONSE_BYTES = 65_536

const ADVICE = 'correct --public-url, the proxy in front, or PORT: the address leads elsewhere'

/** Builds the checks for `publicUrl`, which has no /activities and no slash at its end. */
export function buildPublicUrlChecks(publicUrl: string, http: HttpClient): readonly Check[] {
  const ask = (request: Pick<HttpRequest, 'method' | 'url' | 'headers' | 'body'>, signal: AbortSignal) =>
    http.request({ ...request, signal, timeoutMs: TIMEOUT_MS, maxResponseBytes: MAX_RESPONSE_BYTES })
  return [
    {
      name: 'public address',
      run: (signal) => judge(publicUrl, () => ask({ method: 'GET', url: `${publicUrl}/livez` }, signal), judgeAlive),
    },
    {
      name: 'refusal without a key',
      run: (signal) =>
        judge(
          publicUrl,
          // Refused before anything is read, so nothing is stored; counted as one failed authentication.
          () =>
            ask(
              {
                method: 'POST',
                url: `${publicUrl}/activities`,
                headers: { 'content-type': 'application/json' },
                body: '{}',
              },
              signal,
            ),
          judgeRefusal,
        ),
    },
  ]
}

async function judge(
  publicUrl: string,
  ask: () => Promise<HttpAnswer>,
  judgeAnswer: (publicUrl: string, answer: HttpAnswer) => Verdict,
): Promise<Verdict> {
  try {
    return judgeAnswer(publicUrl, await ask())
  } catch (error) {
    if (!(error instanceof HttpFault)) throw error
    return failed(
      error.message,
      'start the service and open its address to the world (DNS, certificate, firewall), or correct --public-url',
    )
  }
}

function judgeAlive(publicUrl: string, { status }: HttpAnswer): Verdict {
  if (status !== 200) return failed(`GET ${publicUrl}/livez answers ${status} instead of 200`, ADVICE)
  if (publicUrl.startsWith('https:')) return ok(`GET ${publicUrl}/livez answers 200`)
  return warning(
    `GET ${publicUrl}/livez answers 200, without encryption: the key Reten sends can be read on the way`,
    'put HTTPS in front and give Reten that address',
  )
}

function judgeRefusal(publicUrl: string, { status, body }: HttpAnswer): Verdict {
  const reading = readJson(body)
  const isOurs = reading.isJson && readRecord(reading.value)?.['code'] === 'RCV_UNAUTHORIZED'
  const found = `POST ${publicUrl}/activities without a key answers ${status}`
  if (status === 401 && isOurs) return ok(found)
  if (status === 401) return failed(`${found}, but somebody else says so, not this service`, ADVICE)
  if (status === 429) return failed(`${found}: too many failed keys came from here lately`, 'check again in a minute')
  if (status === 404) return failed(`${found} instead of 401`, `${ADVICE}; a ROLE of worker receives nothing`)
  return failed(`${found} instead of 401`, ADVICE)
}
