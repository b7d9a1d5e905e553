import {
  defaultResource,
  envDetector,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { ConsoleSpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import {
  ATTR_DEPLOYMENT_ENVIRONMENT_NAME,
  ATTR_SERVICE_NAME,
  ATTR_SERVICE_VERSION,
} from '@opentelemetry/semantic-conventions';

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
  spanProcessors: [new SimpleSpanProcessor({ exporter: new ConsoleSpanExporter() })],
  // Off. The SDK sends a signal that you leave out to a collector on localhost, and step 01 has none.
  metricReaders: [],
  logRecordProcessors: [],
});

sdk.start();
