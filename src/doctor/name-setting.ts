import type { Connection } from '../connection.ts'

/** The setting as its owner knows it: a variable of the environment, or a field of a stored connection and how it is changed. */
export function nameSetting(
  { name, origin }: Pick<Connection, 'name' | 'origin'>,
  names: { readonly environment: string; readonly managed: string },
): string {
  return origin === 'environment' ? names.environment : `${names.managed} (PATCH /admin/connections/${name})`
}
