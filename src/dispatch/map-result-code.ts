/** The code that Reten is told for a provider's. Case-sensitive, as Reten's codes are. */
export function mapResultCode(code: string, resultMap: Readonly<Record<string, string>>): string {
  return Object.hasOwn(resultMap, code) ? (resultMap[code] ?? code) : code
}
