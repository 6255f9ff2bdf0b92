import type { Scale } from './lab.ts';
import { type Finding, ROWS, type Row, type RowName, type Verdict, verdictOn } from './rows.ts';

export interface Report {
  readonly date: string;
  readonly machine: Readonly<Record<string, unknown>>;
  readonly scale: Scale;
  readonly rows: readonly (Row & Finding & { readonly verdict: Verdict })[];
  readonly failures: readonly { readonly rows: readonly RowName[]; readonly reason: string }[];
}

export function reportOf(parts: {
  findings: readonly Finding[];
  failures: Report['failures'];
  machine: Report['machine'];
  scale: Scale;
}): Report {
  return {
    date: new Date().toISOString(),
    machine: parts.machine,
    scale: parts.scale,
    rows: parts.findings.map((finding) => {
      const row = ROWS[finding.row];
      return { ...row, ...finding, verdict: verdictOn(row, finding.value) };
    }),
    failures: parts.failures,
  };
}

/** The table as Markdown, which is readable in a terminal too. */
export function renderTable(report: Report): string {
  const header = ['measured', 'divided by', 'required', 'goal', 'value', 'verdict'];
  const lines = report.rows.map((row) => [
    row.measured,
    row.dividedBy,
    bound(row, row.required),
    bound(row, row.goal),
    format(row, row.value),
    row.verdict === 'required' ? 'ok' : row.verdict,
  ]);
  const table = [header, header.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`);
  const missing = report.failures.map(({ rows, reason }) => `Not measured: ${rows.join(', ')}. ${reason}`);
  return `${[...table, ...missing].join('\n')}\n`;
}

function bound(row: Row, value: number): string {
  return `${row.bound === 'least' ? '≥' : '≤'} ${format(row, value)}`;
}

function format({ unit }: Row, value: number): string {
  if (unit === 'ms') return `${value.toFixed(value < 10 ? 1 : 0)} ms`;
  if (unit === 's' || unit === 'MB') return `${value.toFixed(2)} ${unit}`;
  if (unit === 'MiB') return `${Math.round(value)} MiB`;
  if (unit === 'events/s') return `${Math.round(value).toLocaleString('en')}/s`;
  return value.toFixed(2);
}
