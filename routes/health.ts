import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { StoreError } from '../src/errors.ts';
import { sendJson, sendText } from './answer.ts';
import type { Service } from './context.ts';
import { parseQuery, rawQuery } from './query-string.ts';

/**
 * What machines and the person on call look at. /livez says that the process runs and never touches the store;
 * /readyz says whether it is worth sending requests here; /metrics and /v1/stats give the same figures, as
 * Prometheus text and as JSON.
 */
const ReadyQuery = Type.Object(
  {
    verbose: Type.Optional(
      Type.Union([Type.Literal(''), Type.Literal('true'), Type.Literal('false')], {
        description: 'Name every check. The name alone is enough.',
      }),
    ),
  },
  { additionalProperties: false },
);
const NoQuery = Type.Object({}, { additionalProperties: false });

const Alive = Type.Object({ status: Type.Literal('alive') }, { description: 'The process runs.' });
const Ready = Type.Object(
  {
    status: Type.Literal('ready'),
    checks: Type.Optional(
      Type.Record(Type.String(), Type.Object({ ok: Type.Boolean(), detail: Type.String() }), {
        description: 'With `verbose`: what was looked at.',
      }),
    ),
  },
  { description: 'Requests can be served.' },
);
const Exposition = Type.String({ description: 'The text format of Prometheus.' });
const Stats = Type.Object(
  {
    version: Type.String(),
    backend: Type.String(),
    logId: Type.String({ format: 'uuid' }),
    position: Type.Integer({ minimum: 0 }),
    uptimeSeconds: Type.Integer({ minimum: 0 }),
    queue: Type.Object({ events: Type.Integer(), bytes: Type.Integer(), oldestMs: Type.Number() }),
    metrics: Type.Object({}, { additionalProperties: true, description: 'By name: type, help and values.' }),
  },
  { description: 'The state of the service in figures.' },
);

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const RESOLUTION_MS = 20;
const PERCENTILES = [50, 90, 99] as const;

export function healthRoutes(app: FastifyInstance, service: Service): void {
  const { metrics, backend, lifecycle } = service;
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  app.addHook('onClose', async () => {
    delay.disable();
  });

  app.get(
    '/livez',
    {
      config: { action: 'public', whileStopping: true },
      schema: {
        operationId: 'readLiveness',
        summary: 'Is the process alive',
        description: 'Never touches the store.',
        tags: ['Operation'],
        querystring: NoQuery,
        response: { 200: Alive },
      },
    },
    (request, reply) => {
      parseQuery(NoQuery, rawQuery(request.raw.url));
      sendJson(reply, 200, '{"status":"alive"}');
    },
  );

  app.get(
    '/readyz',
    {
      config: { action: 'public', whileStopping: true, errors: ['STORAGE_UNAVAILABLE'] },
      schema: {
        operationId: 'readReadiness',
        summary: 'Is it worth sending requests here',
        description: '200 when the store can be reached and the service is not stopping, else 503.',
        tags: ['Operation'],
        querystring: ReadyQuery,
        response: { 200: Ready },
      },
    },
    async (request, reply) => {
      const { verbose = 'false' } = parseQuery(ReadyQuery, rawQuery(request.raw.url));
      const health = await backend.health();
      const ready = health.ready && !lifecycle.stopping;
      const checks = {
        ...health.checks,
        service: { ok: !lifecycle.stopping, detail: lifecycle.stopping ? 'stopping' : 'running' },
      };
      const findings = verbose === 'false' ? {} : { checks };
      if (ready) return sendJson(reply, 200, JSON.stringify({ status: 'ready', ...findings }));
      const why = lifecycle.stopping ? 'The service is stopping.' : 'The store cannot do its work.';
      throw new StoreError('STORAGE_UNAVAILABLE', why, { members: findings });
    },
  );

  app.get(
    '/metrics',
    {
      config: {
        action: 'observe',
        whileStopping: true,
        produces: ['text/plain'],
        forBrowsers: true,
      },
      schema: {
        operationId: 'readMetrics',
        summary: 'Figures for Prometheus',
        description: 'In the text format. Where only this machine can connect no key is needed.',
        tags: ['Operation'],
        querystring: NoQuery,
        response: { 200: Exposition },
      },
    },
    async (request, reply) => {
      parseQuery(NoQuery, rawQuery(request.raw.url));
      await gauge();
      delay.reset();
      sendText(reply, 200, METRICS_TYPE, await metrics.registry.metrics());
    },
  );

  app.get(
    '/v1/stats',
    {
      config: { action: 'observe', whileStopping: true },
      schema: {
        operationId: 'readStats',
        summary: 'The figures of /metrics as JSON',
        description: 'For those who have no Prometheus.',
        tags: ['Operation'],
        querystring: NoQuery,
        response: { 200: Stats },
      },
    },
    async (request, reply) => {
      parseQuery(NoQuery, rawQuery(request.raw.url));
      await gauge();
      const figures = await metrics.registry.getMetricsAsJSON();
      const stats = {
        version: service.version,
        backend: backend.name,
        logId: backend.logId,
        position: service.feed.head,
        uptimeSeconds: Math.round(process.uptime()),
        queue: service.appender.queue,
        metrics: Object.fromEntries(
          figures.map(({ name, type, help, values }) => [name, { type, help, values }] as const),
        ),
      };
      sendJson(reply, 200, JSON.stringify(stats));
    },
  );

  /** Sets the gauges that are looked up rather than counted. Delays are those since the last scrape. */
  async function gauge(): Promise<void> {
    await service.capacity.sample();
    for (const percentile of PERCENTILES) {
      // The histogram holds the time from sample to sample, of which the interval itself is no delay.
      const delayMs = delay.count === 0 ? 0 : Math.max(0, delay.percentile(percentile) / 1e6 - RESOLUTION_MS);
      metrics.eventLoopDelaySeconds.set({ percentile: `${percentile}` }, delayMs / 1000);
    }
    const { events, oldestMs } = service.appender.queue;
    metrics.queueEvents.set(events);
    metrics.queueAgeSeconds.set(oldestMs / 1000);
    metrics.headPosition.set(service.feed.head);
  }
}
