import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
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
import { BatchLogRecordProcessor } from '@opentelemetry/sdk-logs';
import { PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
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

const timeoutMillis = 15_000; // for how long a batch is tried: the Collector can be away for 10 seconds

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
  spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ timeoutMillis }), maxQueueSize: 8_192 })],
  metricReaders: [
    new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter(), exportIntervalMillis: 1_000 }),
  ],
  logRecordProcessors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter({ timeoutMillis }) })],
  textMapPropagator: propagator,
  instrumentations: [
    new HttpInstrumentation(),
    // Puts the route's name on the span of the request. The layers of Express get no spans of their own.
    new ExpressInstrumentation({ ignoreLayersType: Object.values(ExpressLayerType) }),
    new UndiciInstrumentation(), // fetch
  ],
});

sdk.start();
// The last batch is still in memory when the program ends.
onExit(() => sdk.shutdown());
