import type { Fault } from '../../src/errors.ts';
import type { JsonSchema } from '../../src/registry/event-type.ts';
import { faultsInPlace } from '../../src/registry/in-place.ts';
import { Pattern } from '../../src/registry/pattern.ts';
import { TOO_MANY_STEPS } from '../../src/registry/schema-compiler.ts';
import { readSchema } from '../../src/registry/schema-document.ts';
import { makeValidator } from '../../src/registry/validator.ts';

/** The validator of a schema that is known to be good, without the thread. */
export function validatorOf(schema: JsonSchema): (value: unknown) => readonly Fault[] {
  const { document, faults } = readSchema(schema);
  const refused = faults ?? faultsInPlace(document);
  if (document === undefined || refused.length > 0) throw new Error(JSON.stringify(refused));
  const validate = makeValidator(
    document,
    new Map([...document.patterns].map((source) => [source, new Pattern(source)])),
  );
  return (value) => validate(value) ?? TOO_MANY_STEPS;
}
