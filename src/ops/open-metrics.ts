// The same metrics in the OpenMetrics format. prom-client can write it, but renames its counters for good when it does
// (15.1.3, lib/registry.js, metrics()), which would break every scrape in the older format that follows.
// Source: OpenMetrics 1.0, https://prometheus.io/docs/specs/om/open_metrics_spec/

export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
export const OPENMETRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

/** Turns the Prometheus text format into OpenMetrics: counters are named without `_total`, the end is marked. */
export function toOpenMetrics(prometheusText: string): string {
  const lines = prometheusText.split('\n').filter((line) => line !== '')
  const counters = new Set(lines.map((line) => COUNTER.exec(line)?.[1]))
  const converted = lines.map((line) => {
    const described = DESCRIPTION.exec(line)
    return described !== null && counters.has(described[2])
      ? `# ${described[1]} ${described[2]}${line.slice(described[0].length)}`
      : line
  })
  return `${converted.join('\n')}\n# EOF\n`
}

const COUNTER = /^# TYPE (\S+)_total counter$/
const DESCRIPTION = /^# (HELP|TYPE) (\S+)_total(?= )/
