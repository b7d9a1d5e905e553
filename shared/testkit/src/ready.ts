/** What answers 200 when a backend is ready, by its port in the container. */
export const READY_PATHS: Record<number, string> = {
  3000: '/api/health', // Grafana
  3100: '/ready', // Loki
  9090: '/-/ready', // Prometheus
  13133: '/', // the Collector
  16686: '/api/services', // Jaeger
};
