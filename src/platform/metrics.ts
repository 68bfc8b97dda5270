import { Histogram, Registry } from 'prom-client'

/*
 * Figures of the running server, as Prometheus reads them. No label may hold what names a person, and none what a caller can
 * make up: each value is a time series for ever.
 */

/** Upper bounds in seconds; a refresh of standing is to end within one. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** Of one server: the library's own registry is one for the whole process. */
export function createMetrics(): Registry {
  return new Registry()
}

/** How long something took, in seconds; the name ends in _seconds. */
export function createDurations<Label extends string>(
  metrics: Registry,
  name: string,
  help: string,
  labelNames: readonly Label[],
): Histogram<Label> {
  return new Histogram({ name, help, labelNames, buckets: BUCKETS, registers: [metrics] })
}
