/** An answer, read whole. */
export interface JsonReply {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
  /** The same, for answers that are bare arrays. */
  readonly list: readonly Record<string, unknown>[]
}

/** What is sent beside the address. */
export interface JsonCall {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** Calls with JSON and reads JSON; the method is POST where there is a body. */
export const callJson = async (url: string, call: JsonCall = {}): Promise<JsonReply> => {
  const response = await fetch(url, {
    method: call.method ?? (call.body === undefined ? 'GET' : 'POST'),
    headers: { ...(call.body === undefined ? {} : { 'content-type': 'application/json' }), ...call.headers },
    ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
  })
  const text = await response.text()
  const parsed: unknown = text === '' ? {} : JSON.parse(text)
  const list = Array.isArray(parsed) ? parsed.filter(isRecord) : []
  return { status: response.status, headers: response.headers, body: isRecord(parsed) ? parsed : {}, list }
}

/** The entries of a list in an envelope. */
export const rowsOf = (reply: JsonReply): readonly Record<string, unknown>[] => {
  const { data } = reply.body
  return Array.isArray(data) ? data.filter(isRecord) : []
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
