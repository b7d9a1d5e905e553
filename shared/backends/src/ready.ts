/** What answers 200 when a backend is ready, by its port in the container. */
export const READY_PATHS: Record<number, string> = {
  3000: '/api/health', // Grafana
  9428: '/health', // VictoriaLogs
  9090: '/-/ready', // Prometheus
  13133: '/', // the Collector
  16686: '/api/services', // Jaeger
};
