import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { ExpressInstrumentation, ExpressLayerType } from '@opentelemetry/instrumentation-express';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import {
  defaultResource,
  envDetector,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace';
import {
  ATTR_DEPLOYMENT_ENVIRONMENT_NAME,
  ATTR_SERVICE_NAME,
  ATTR_SERVICE_VERSION,
} from '@opentelemetry/semantic-conventions';
import { onExit } from '@workshop/runtime/exit';
import { register } from 'import-in-the-middle/register-hooks.mjs';
import { propagator } from './propagation.ts';

// First of all: a library that is imported before this line cannot be instrumented.
register({ include: ['express', 'http', 'node:http'] });

const port = Number(process.env.OTEL_EXPORTER_PROMETHEUS_PORT || 8000);
// Prometheus reads /metrics from its container. It cannot reach a server that listens on localhost only.
const metricReader = new PrometheusExporter({ host: '0.0.0.0', port, preventServerStart: true });

const sdk = new NodeSDK({
  // Which program this is. OTEL_SERVICE_NAME, which npm start sets, and OTEL_RESOURCE_ATTRIBUTES win over these values.
  resource: defaultResource().merge(
    resourceFromAttributes({
      [ATTR_SERVICE_NAME]: 'llm-app',
      [ATTR_SERVICE_VERSION]: '1.0.0',
      [ATTR_DEPLOYMENT_ENVIRONMENT_NAME]: 'workshop',
    }),
  ),
  // An id for each running instance: without it two instances of a service would overwrite each other's metrics.
  // Not the process detector: it would record the command line, and your question with it.
  resourceDetectors: [serviceInstanceIdDetector, envDetector],
  // Collects spans and sends them every 5 seconds, to localhost:4318 unless OTEL_EXPORTER_OTLP_ENDPOINT says otherwise.
  // Gives up after 1.5 seconds, so that the last batch does not hold up the exit.
  spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ timeoutMillis: 1_500 }) })],
  metricReaders: [metricReader],
  // Off. The SDK sends a signal that you leave out to a collector on localhost, and Jaeger takes traces only.
  logRecordProcessors: [],
  textMapPropagator: propagator,
  instrumentations: [
    // No spans for health checks and scrapes: they come every second, and nobody looks for them.
    new HttpInstrumentation({ ignoreIncomingRequestHook: ({ url }) => url === '/health' || url === '/metrics' }),
    // Puts the route's name on the span of the request. The layers of Express get no spans of their own.
    new ExpressInstrumentation({ ignoreLayersType: Object.values(ExpressLayerType) }),
    new UndiciInstrumentation(), // fetch
  ],
});

sdk.start();
await metricReader.startServer().catch((error) => {
  console.error(`No metrics on port ${port} (${error.code}). Set OTEL_EXPORTER_PROMETHEUS_PORT to a free one.`);
  process.exit(1);
});
// The last batch is still in memory when the program ends.
onExit(() => sdk.shutdown());
