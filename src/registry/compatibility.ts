import type { Fault } from '../errors.ts';
import type { Compatibility, JsonSchema } from './event-type.ts';

/** Stand-in. */
export function incompatibilities(
  before: JsonSchema,
  next: JsonSchema,
  compatibility: Compatibility,
): readonly Fault[] {
  if (compatibility === 'none') return [];
  const required = (schema: JsonSchema) =>
    typeof schema === 'boolean' ? [] : ((schema['required'] ?? []) as string[]);
  return required(next)
    .filter((name) => !required(before).includes(name))
    .map((name) => ({ pointer: '/required', detail: `asks for ${name}, which the version before does not` }));
}
