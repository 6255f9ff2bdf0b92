/**
 * Says once what the operations of a document have in common. The generator writes every parameter and every
 * answer out where it is used, which makes a document of a megabyte that nobody can compare with the last one.
 */
interface Operation {
  parameters?: unknown[];
  responses: Record<string, Answer>;
}
interface Answer {
  $ref?: string;
  headers?: Record<string, unknown>;
  content?: Record<string, { examples?: object }>;
}
interface Document {
  paths?: object;
  components?: object;
}

export function shared<T extends Document>(document: T): T {
  const parameters = new Pool('parameters');
  const responses = new Pool('responses');
  const operations = Object.values(document.paths ?? {}).flatMap(
    (path) => Object.values(path) as Operation[],
  );
  for (const operation of operations) {
    for (const response of Object.values(operation.responses)) unwrapHeaders(response);
  }
  for (const { parameters: own = [], responses: answers } of operations) {
    for (const parameter of own) parameters.count(nameOfParameter(parameter), parameter);
    for (const answer of Object.values(answers)) responses.count(nameOfAnswer(answer), answer);
  }
  for (const operation of operations) {
    if (operation.parameters !== undefined) {
      operation.parameters = operation.parameters.map((one) => parameters.refer(nameOfParameter(one), one));
    }
    for (const [status, answer] of Object.entries(operation.responses)) {
      operation.responses[status] = responses.refer(nameOfAnswer(answer), answer);
    }
  }
  Object.assign(document.components ?? {}, { parameters: parameters.members, responses: responses.members });
  return document;
}

/** What goes by one name and is the same in at least two places. */
class Pool {
  readonly #kind: string;
  readonly #uses = new Map<string, Map<string, number>>();
  readonly members: Record<string, unknown> = {};

  constructor(kind: string) {
    this.#kind = kind;
  }

  count(name: string | undefined, value: unknown): void {
    if (name === undefined) return;
    const uses = this.#uses.get(name) ?? new Map<string, number>();
    const text = JSON.stringify(value);
    this.#uses.set(name, uses.set(text, (uses.get(text) ?? 0) + 1));
  }

  /** A reference, or the value itself where it is not what the name mostly stands for. */
  refer<T>(name: string | undefined, value: T): T | { $ref: string } {
    if (name === undefined) return value;
    const [most] = [...(this.#uses.get(name) ?? [])].sort(([, a], [, b]) => b - a);
    if (most === undefined || most[1] < 2 || most[0] !== JSON.stringify(value)) return value;
    this.members[name] = value;
    return { $ref: `#/components/${this.#kind}/${name}` };
  }
}

function nameOfParameter(parameter: unknown): string | undefined {
  if (typeof parameter !== 'object' || parameter === null) return undefined;
  if (!('name' in parameter && 'in' in parameter)) return undefined;
  return `${parameter.in}.${parameter.name}`;
}

/** The codes that a problem document can have; other answers belong to one operation. */
function nameOfAnswer({ content }: Answer): string | undefined {
  const examples = content?.['application/problem+json']?.examples;
  return examples === undefined ? undefined : Object.keys(examples).join('.');
}

/** The generator takes the headers of an answer for schemas; they are references to headers. */
function unwrapHeaders(answer: Answer): void {
  for (const [name, header] of Object.entries(answer.headers ?? {})) {
    if (answer.headers === undefined || typeof header !== 'object' || header === null) continue;
    if ('schema' in header) answer.headers[name] = header.schema;
  }
}
