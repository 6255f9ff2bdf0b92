import type { FastifyInstance } from 'fastify';
import { aggregateRoutes } from './aggregates.ts';
import { appendRoutes } from './append.ts';
import { asyncApiRoutes } from './async-api.ts';
import { catalogueRoutes } from './catalogue.ts';
import { cataloguePageRoutes } from './catalogue-pages.ts';
import { causationRoutes } from './causation.ts';
import type { Service } from './context.ts';
import { collectRoutes, docsRoutes } from './docs.ts';
import { eventTypeRoutes } from './event-types.ts';
import { eventRoutes } from './events.ts';
import { healthRoutes } from './health.ts';
import { homeRoutes } from './home.ts';
import { importRoutes } from './imports.ts';
import { logRoutes } from './log.ts';
import { problemRoutes } from './problems.ts';
import { ruleRoutes } from './rules.ts';
import { snapshotRoutes } from './snapshots.ts';
import { stateRoutes } from './states.ts';
import { streamRoutes } from './stream.ts';
import { upkeepRoutes } from './upkeep.ts';

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
  await collectRoutes(app, service); // for the OpenAPI document
  appendRoutes(app, service); //    POST /v1/events, /v1/events/batch
  importRoutes(app, service); //    POST /v1/imports
  eventRoutes(app, service); //     GET  /v1/events, /v1/events/{id}, /v1/correlations/{id}/events; POST /v1/events/query
  streamRoutes(app, service); //    GET  /v1/events/stream, POST with the filter as body
  aggregateRoutes(app, service); // GET  /v1/events/count, POST with the filter as body; POST /v1/events/aggregate
  causationRoutes(app, service); // GET  /v1/events/{id}/causation
  catalogueRoutes(app, service); // GET  /v1/types, /v1/tags, /v1/tags/{key}
  eventTypeRoutes(app, service); // GET, PUT /v1/types/{type}; GET, POST …/versions, GET …/versions/{version}; POST …/compatibility-checks
  ruleRoutes(app, service); //      GET  /v1/rules; GET, PUT, DELETE /v1/rules/{rule}
  snapshotRoutes(app, service); //  GET, POST, DELETE /v1/snapshots/{aggregateId}, GET, PUT, DELETE …/{version}, GET …/versions
  stateRoutes(app, service); //     GET  /v1/aggregates/{aggregateId}/state, …/diff
  upkeepRoutes(app, service); //    GET, PUT /v1/retention; POST /v1/retention/runs, /v1/compactions, /v1/backups; GET, DELETE /v1/jobs
  logRoutes(app, service); //       GET  /v1/head, /v1/info
  healthRoutes(app, service); //    GET  /livez, /readyz, /metrics, /v1/stats
  homeRoutes(app, service); //      GET  /
  cataloguePageRoutes(app, service); // GET /catalogue, /catalogue/{type}, /catalogue/{type}/diff
  asyncApiRoutes(app, service); //  GET  /asyncapi.json
  problemRoutes(app); //            GET  /problems/{slug}
  await docsRoutes(app); //         GET  /openapi.json, /event.schema.json, /docs
}
