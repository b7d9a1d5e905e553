import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
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

const sdk = new NodeSDK({
  // Which program this is. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over these values.
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
  // Off. The SDK sends a signal that you leave out to a collector on localhost, and Jaeger takes traces only.
  metricReaders: [],
  logRecordProcessors: [],
});

sdk.start();
// The last batch is still in memory when the program ends.
onExit(() => sdk.shutdown());
