import type {} from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { appendRoutes } from './append.ts';
import type { Service } from './context.ts';
import { healthRoutes } from './health.ts';
import { problemRoutes } from './problems.ts';
import { streamRoutes } from './stream.ts';

/**
 * The whole HTTP surface: one line a noun, one file a line.
 *
 * A route says in its `config` who may call it and what it speaks (gate.ts):
 *
 *   app.get('/v1/head', { config: { action: 'read' }, schema: { querystring, response } }, handler)
 *
 * `schema` holds TypeBox schemas for the OpenAPI document only. The framework validates, coerces and strips nothing:
 * handlers call `parseQuery` (query-string.ts) and `parseBody` (body.ts), which refuse and never repair, and answer
 * with `sendJson` (answer.ts). What they throw becomes a problem document (failures.ts).
 */
export async function registerRoutes(app: FastifyInstance, service: Service): Promise<void> {
  appendRoutes(app, service); // POST /v1/events, /v1/events/batch
  healthRoutes(app, service); // GET  /livez, /readyz, /metrics, /v1/stats
  streamRoutes(app, service); // GET  /v1/events/stream, POST with the filter as body
  problemRoutes(app); //         GET  /problems/{slug}
}
