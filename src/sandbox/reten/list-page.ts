import type { Answer } from '../answer.ts'
import { refuse } from './refuse.ts'

/** Query parameters as Fastify gives them: one text, or several for a repeated name. */
export type Query = Readonly<Record<string, string | readonly string[] | undefined>>

/** Which part of a list is asked for. */
export interface PageRequest {
  readonly page: number
  readonly perPage: number
}

/** One page in Reten's documented envelope. */
export interface Page<T> {
  readonly data: readonly T[]
  readonly meta: { readonly page: number; readonly limit: number; readonly total: number; readonly totalPages: number }
}

/** The first value of a query parameter; an empty one counts as absent. */
export const queryText = (query: Query, name: string): string | undefined => {
  const value = query[name]
  const first = typeof value === 'string' ? value : value?.[0]
  return first === '' ? undefined : first
}

/** Reads `page` and `per_page`, or `limit`: the documentation uses both names. Above 100, or not a number, is 400. */
export const readPageRequest = (query: Query, defaultPerPage: number): PageRequest | Answer => {
  const page = readCount(queryText(query, 'page') ?? '1')
  const perPage = readCount(queryText(query, 'per_page') ?? queryText(query, 'limit') ?? String(defaultPerPage))
  if (page === undefined) return refuse(400, 'page must be a number not less than 1')
  if (perPage === undefined) return refuse(400, 'per_page must be a number not less than 1')
  if (perPage > 100) return refuse(400, 'per_page must not be greater than 100')
  return { page, perPage }
}

/** Cuts one page out of what matches, without building the rows of the others. */
export const cutPage = <S, T>(
  rows: Iterable<S>,
  matches: (row: S) => boolean,
  describe: (row: S) => T,
  { page, perPage }: PageRequest,
): Page<T> => {
  const first = (page - 1) * perPage
  const data: T[] = []
  let total = 0
  for (const row of rows) {
    if (!matches(row)) continue
    if (total >= first && data.length < perPage) data.push(describe(row))
    total += 1
  }
  return { data, meta: { page, limit: perPage, total, totalPages: Math.ceil(total / perPage) } }
}

const readCount = (text: string): number | undefined => (/^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined)
