import { type Static, Type } from '@sinclair/typebox';
import { Metadata, Tags } from './event.ts';
import { EventFilter } from './filter.ts';

/** What the service adds to events on their way in, see `registry/enrichment.ts`. */
export const ENRICHMENT_STEPS = ['trace', 'serviceVersion', 'defaults', 'tagsFromData'] as const;

export const EnrichmentSteps = Type.Array(Type.Union(ENRICHMENT_STEPS.map((step) => Type.Literal(step))), {
  maxItems: ENRICHMENT_STEPS.length,
  uniqueItems: true,
});
export type EnrichmentStep = (typeof ENRICHMENT_STEPS)[number];

export const EnrichmentDefault = Type.Object(
  {
    types: EventFilter.properties.eventTypes,
    tags: Type.Optional(Tags),
    metadata: Type.Optional(Metadata),
  },
  { additionalProperties: false },
);
export type EnrichmentDefault = Static<typeof EnrichmentDefault>;

export const EnrichmentDefaults = Type.Array(EnrichmentDefault, { minItems: 1, maxItems: 64 });

export interface EnrichmentSettings {
  readonly steps: readonly EnrichmentStep[];
  readonly serviceVersion?: string;
  readonly defaults: readonly EnrichmentDefault[];
}
