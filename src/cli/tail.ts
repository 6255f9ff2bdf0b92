import { type Command, EXIT, readArguments } from './command.ts';
import { CONNECTION_FLAGS, CONNECTION_HELP, connect } from './connection.ts';
import { ENVELOPE_FLAG, ENVELOPE_HELP, readEnvelope } from './envelope-flag.ts';
import { FILTER_FLAGS, FILTER_HELP, readFilter } from './filter-flags.ts';
import { tell, writeOut } from './terminal.ts';

export const command: Command = {
  summary: 'follow events as they are stored',

  help: () => `Usage: stele tail [--since <time>] [--after <position>] [filter] [--envelope <name>] [--json]

Writes each event as a line of JSON as soon as it is stored, until it is stopped. A connection that is lost is
made again, and the events go on where they stopped: none is missing, none comes twice.

Where to start (default: with the next event):
  --after <position>     behind this position; 0 is the beginning
  --since <time>         with the first event recorded at this time or later

${ENVELOPE_HELP}

--json is taken as with other verbs: there is no other form.

${FILTER_HELP}

${CONNECTION_HELP}

Examples:
  stele tail
  stele tail --event-types 'ISSUE.*' --since 2026-11-21T00:00:00Z
  stele tail --after 0 --tags issueId:42 | jq .type`,

  async run(argv) {
    const args = readArguments(argv, {
      ...CONNECTION_FLAGS,
      ...FILTER_FLAGS,
      ...ENVELOPE_FLAG,
      since: 'value',
      json: 'switch',
    });
    const events = connect(args).follow(readFilter(args), {
      ...(args.has('since') ? { since: args.value('since') } : {}),
      envelope: readEnvelope(args),
      onGap: ({ from, to }) => tell(`stele: the events from ${from} to ${to} were removed by retention.`),
    });
    for await (const event of events) await writeOut(`${JSON.stringify(event)}\n`);
    return EXIT.ok;
  },
};
