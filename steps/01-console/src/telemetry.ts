import { defaultResource, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { ConsoleSpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import {
  ATTR_DEPLOYMENT_ENVIRONMENT_NAME,
  ATTR_SERVICE_NAME,
  ATTR_SERVICE_VERSION,
} from '@opentelemetry/semantic-conventions';
import { flushOnExit } from '@workshop/runtime/exit';

const sdk = new NodeSDK({
  // Who speaks. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over what stands here.
  resource: defaultResource().merge(
    resourceFromAttributes({
      [ATTR_SERVICE_NAME]: 'llm-app',
      [ATTR_SERVICE_VERSION]: '1.0.0',
      [ATTR_DEPLOYMENT_ENVIRONMENT_NAME]: 'workshop',
    }),
  ),
  // Only the environment: the process detector would record the command line, and your question with it.
  resourceDetectors: [envDetector],
  spanProcessors: [new SimpleSpanProcessor({ exporter: new ConsoleSpanExporter() })],
  // Off. What is left out here is sent to a collector on localhost, which step 01 has not got.
  metricReaders: [],
  logRecordProcessors: [],
});

sdk.start();
flushOnExit(sdk);
