import { randomBytes } from 'node:crypto';
import { type FastifyInstance, fastify } from 'fastify';
import { type Logger, pino } from 'pino';
import { keepBodiesRaw } from '../routes/body.ts';
import { Connections } from '../routes/connections.ts';
import type { Service } from '../routes/context.ts';
import { answerBrokenHttp, FailureLog, sendFailure } from '../routes/failures.ts';
import { Gate } from '../routes/gate.ts';
import { registerRoutes } from '../routes/index.ts';
import { createAccess } from './access/policy.ts';
import type { Config } from './config.ts';
import { StoreError } from './errors.ts';
import { Feed } from './feed/feed.ts';
import { keepYoungObjectsYoung } from './heap.ts';
import { LIMITS } from './limits.ts';
import { createMetrics } from './metrics.ts';
import { Admission } from './registry/admission.ts';
import { Enrichment } from './registry/enrichment.ts';
import { Examiner } from './registry/examination.ts';
import { Registry } from './registry/registry.ts';
import { SchemaCompiler } from './registry/schema-compiler.ts';
import { TypeSchemas } from './registry/type-schemas.ts';
import { Capacity } from './store/capacity.ts';
import { GroupCommit } from './store/group-commit.ts';
import { openBackend } from './store/open.ts';
import { defaultArchive } from './upkeep/archive.ts';
import { Upkeep } from './upkeep/upkeep.ts';
import { version } from './version.ts';

/**
 * The composition root. `createService` opens and starts everything below HTTP, `buildApp` puts HTTP on top, and
 * `app.close()` takes both down again in the order in which nothing is lost:
 *
 *   1. the port closes; from then on requests that still come are refused with 503, every answer ends its connection
 *   2. requests under way are answered, the queue of appends is drained
 *   3. streams see the last events and end
 *   4. connections close, then the store
 */

/** How long requests under way may take once the service stops; what is then left of the time closes connections. */
const ANSWER_MS = LIMITS.outcomeWaitMs + 300;
const FIN_MS = 300;

/** @throws StoreError or Error when the store, its schema or the keys are not as they must be. */
export async function createService(
  config: Config,
  options: { logger?: Logger; onFatal?: (error: Error) => void } = {},
): Promise<Service> {
  keepYoungObjectsYoung();
  const logger = options.logger ?? pino({ level: config.logLevel });
  const metrics = createMetrics();
  const access = createAccess(config, logger);
  access.start();
  const backend = await openBackend(config.store, {
    metrics,
    logger,
    ...(options.onFatal === undefined ? {} : { onFatal: options.onFatal }),
  });
  const appender = new GroupCommit(backend, { metrics });
  const compiler = new SchemaCompiler();
  const schemas = new TypeSchemas(compiler);
  const registry = new Registry(backend, appender, { schemas, metrics });
  const enrichment = new Enrichment(config.enrichment);
  const examiner = new Examiner({ enrichment, schemas, mode: config.types.mode });
  const admission = new Admission(registry, appender, { examiner, metrics, logger });
  const feed = new Feed(backend, appender, { metrics, logger });
  const { policy, archive = defaultArchive(config.store) } = config.retention;
  const upkeep = new Upkeep(backend, appender, {
    metrics,
    logger,
    policy,
    archive,
    backups: config.backups,
  });
  const stop = once(async () => {
    await upkeep.stop();
    await appender.stop();
    await feed.stop();
    await compiler.stop();
    await backend.stop();
    access.stop();
  });
  try {
    compiler.start();
    await backend.start();
    await registry.start();
    await feed.start();
    upkeep.start();
  } catch (error) {
    await stop();
    throw error;
  }
  metrics.info.set({ version: version(), store: backend.name }, 1);
  return {
    version: version(),
    config,
    logger,
    metrics,
    backend,
    appender,
    registry,
    schemas,
    admission,
    feed,
    upkeep,
    capacity: new Capacity(backend, { metrics }),
    access,
    eventContext: { eventIds: config.eventIds },
    lifecycle: { stopping: false },
    stop,
  };
}

export function buildApp(service: Service): FastifyInstance {
  const nextId = requestIds();
  const app: FastifyInstance = fastify({
    // Requests are not logged one by one, so the framework needs no logger and makes no child of one for each.
    logger: false,
    genReqId: nextId,
    requestIdHeader: false,
    bodyLimit: LIMITS.batchBytesMax,
    requestTimeout: LIMITS.requestMs,
    keepAliveTimeout: LIMITS.keepAliveMs,
    return503OnClosing: false,
    // Nothing in a plugin waits for anybody, but on a machine that is starved the routes may take more than its ten seconds.
    pluginTimeout: 0,
    http: {
      headersTimeout: LIMITS.headersMs,
      connectionsCheckingInterval: 5000,
      maxHeaderSize: LIMITS.headerBytesMax,
      // A missing Host header gets a problem document from the gate instead of Node's empty answer.
      requireHostHeader: false,
    },
    routerOptions: { maxParamLength: LIMITS.pathSegmentLengthMax, querystringParser: () => NO_QUERY },
    frameworkErrors: (error, request, reply) => sendFailure(request, reply, error),
    clientErrorHandler: (error, socket) => answerBrokenHttp(service, nextId, error, socket),
  });
  const connections = new Connections();
  connections.track(app.server);
  const gate = new Gate(service, connections);
  app.decorate('service', service);
  app.decorate('failures', new FailureLog(service));
  app.decorate('gate', gate);
  keepBodiesRaw(app);
  app.setErrorHandler((error, request, reply) => sendFailure(request, reply, error));
  app.setNotFoundHandler((request, reply) => {
    sendFailure(request, reply, new StoreError('NOT_FOUND', 'There is nothing at this path.'));
  });
  app.addHook('onSend', async (request, reply) => {
    reply.header('stele-request-id', request.id).header('stele-log', service.backend.logId);
  });
  app.addHook('preClose', () => drain(app, connections));
  app.addHook('onClose', () => service.stop());
  gate.install(app);
  app.register(async (routes) => registerRoutes(routes, service));
  // Node would answer an expectation it does not know with an empty 417, and RFC 9110 lets a server ignore it.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  // Without a listener Node cuts the connection of a CONNECT without a word.
  app.server.on('connect', (_request, socket) =>
    answerBrokenHttp(service, nextId, new Error('CONNECT'), socket),
  );
  closePortFirst(app, connections);
  return app;
}

/**
 * The framework ends the connection of every answer as soon as it is told to close, whereupon clients connect anew.
 * While the port is open that is a storm, and whoever is in it when the port closes is reset.
 */
function closePortFirst(app: FastifyInstance, connections: Connections): void {
  const close = app.close.bind(app) as () => Promise<undefined>;
  const closeInOrder = async () => {
    await connections.closePort(app.server);
    return await close();
  };
  app.close = closeInOrder as FastifyInstance['close'];
}

const NO_QUERY: Record<string, unknown> = Object.freeze({});

async function drain(app: FastifyInstance, connections: Connections): Promise<void> {
  const { service } = app;
  service.lifecycle.stopping = true;
  if (!(await connections.answered(ANSWER_MS))) {
    service.logger.warn({ underWay: connections.underWay }, 'stopping before every request was answered');
  }
  await service.upkeep.stop();
  await service.appender.stop();
  await service.feed.stop();
  await connections.closeAll({ lingerMs: LIMITS.lingerMs, finMs: FIN_MS });
}

/** A random prefix for the process and a counter: unique, short, and made in no time. */
function requestIds(): () => string {
  const prefix = randomBytes(6).toString('base64url');
  let count = 0;
  return () => `${prefix}-${(count++).toString(36)}`;
}

function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => (running ??= run());
}
