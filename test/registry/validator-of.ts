import type { JsonSchema } from '../../src/registry/event-type.ts';
import { faultsInPlace } from '../../src/registry/in-place.ts';
import { Pattern } from '../../src/registry/pattern.ts';
import { readSchema } from '../../src/registry/schema-document.ts';
import { makeValidator, type Validator } from '../../src/registry/validator.ts';

/** The validator of a schema that is known to be good, without the thread. */
export function validatorOf(schema: JsonSchema): Validator {
  const { document, faults } = readSchema(schema);
  const refused = faults ?? faultsInPlace(document);
  if (document === undefined || refused.length > 0) throw new Error(JSON.stringify(refused));
  return makeValidator(
    document,
    new Map([...document.patterns].map((source) => [source, new Pattern(source)])),
  );
}
