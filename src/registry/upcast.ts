import type { UpcastOperation } from './upcast-operation.ts';
export class UpcastError extends Error {}
export function upcast(data: unknown, _steps: readonly (readonly UpcastOperation[])[]): unknown {
  return data;
}
