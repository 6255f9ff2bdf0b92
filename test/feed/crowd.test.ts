import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import type { Frame } from '../../src/feed/frame.ts';
import type { Sink, SinkListener } from '../../src/feed/sink.ts';
import { createMetrics } from '../../src/metrics.ts';
import { compileFilter, type EventFilter, matchesFilter } from '../../src/model/filter.ts';
import type { CommittedEvent } from '../../src/store/group-commit.ts';
import { chosenSeed, type Random, random } from '../helpers/random.ts';
import { append, eventually, openStage, SharedMemory } from './stage.ts';

/**
 * Many streams in every state at once, with consumers that take what they are sent in fits and starts. A kernel
 * would hide most of that behind megabytes of buffers, so the sinks here are made for it.
 */
class FitfulSink implements Sink {
  readonly frames: { event: string | undefined; id: number | undefined; position: number }[] = [];
  stalledSinceMs: number | undefined;
  stalls = 0;
  ending: 'ended' | 'destroyed' | undefined;
  readonly #random: Random;
  readonly #stallShare: number;
  #listener: SinkListener | undefined;

  constructor(random: Random, stallShare: number) {
    this.#random = random;
    this.#stallShare = stallShare;
  }

  listen(listener: SinkListener): void {
    this.#listener = listener;
  }

  write(frame: Frame): boolean {
    for (const text of frame.payload.toString().split('\n\n')) this.#read(text);
    // Work that a system call would be: it makes rounds long enough to be interrupted.
    const endMs = performance.now() + 0.03;
    while (performance.now() < endMs);
    if (this.stalledSinceMs === undefined && this.#random.chance(this.#stallShare)) {
      this.stalls += 1;
      this.stalledSinceMs = performance.now();
      const drain = () => {
        this.stalledSinceMs = undefined;
        this.#listener?.drained();
      };
      if (this.#random.chance(0.5)) setImmediate(drain);
      else setTimeout(drain, this.#random.between(0, 8));
    }
    return this.stalledSinceMs === undefined;
  }

  end(): void {
    this.ending ??= 'ended';
    setImmediate(() => this.#listener?.closed());
  }

  destroy(): void {
    this.ending ??= 'destroyed';
  }

  #read(text: string): void {
    const data = /^data: (.*)$/m.exec(text)?.[1];
    if (data === undefined) return;
    const id = /^id: (\d+)$/m.exec(text)?.[1];
    const { position } = JSON.parse(data) as { position: number };
    this.frames.push({
      event: /^event: (.*)$/m.exec(text)?.[1],
      id: id === undefined ? undefined : Number(id),
      position,
    });
  }
}

t.test('every stream of a crowd is sent exactly its part of the log, in order', async (t) => {
  const seed = chosenSeed();
  t.comment(`seed ${seed}`);
  const dice = random(seed);
  const backend = new SharedMemory({ metrics: createMetrics() });
  const timing = {
    checkpointMs: 0,
    tickMs: 1,
    streamPieceBytes: 2048,
    streamScanTurnMs: 2,
    streamScanIdleMs: 2,
  };
  const stage = await openStage(t, { backend, timing, ring: { eventsMax: 150 } });
  const other = await openStage(t, { backend });
  const make = (index: number) => ({
    tags: { issueId: `${index % 5}` },
    type: index % 7 === 0 ? 'RARE' : 'A',
  });
  await append(stage, 800, { batch: 20, make });
  const filters: EventFilter[] = [
    {},
    {},
    { issueIds: ['1'] },
    { issueIds: ['2', '3'], eventTypes: ['A'] },
    { eventTypes: ['RARE'] },
  ];
  const crowd: { after: number; filter: EventFilter; live: boolean; end: number; sink: FitfulSink }[] = [];
  let isDone = false;
  const write = async (writer: typeof stage, batch: number) => {
    while (!isDone) {
      await append(writer, batch, { batch, make });
      if (dice.chance(0.2)) await sleep(2);
      if (writer !== other) continue;
      backend.wakeAll();
      // In between there are only commits of the service itself: they come in while a round is under way.
      await sleep(dice.between(0, 40));
    }
  };
  const writers = [write(stage, 1), write(stage, 3), write(other, 2)];
  for (let index = 0; index < 90; index += 1) {
    const { position } = await backend.head();
    const after = dice.chance(0.3) ? position : dice.between(Math.max(0, position - 1000), position);
    const live = dice.chance(0.8);
    const filter = dice.pick(filters);
    const start = await stage.feed.locate({ after });
    const sink = new FitfulSink(dice.fork(`sink ${index}`), dice.pick([0, 0.02, 0.3]));
    crowd.push({ after, filter, live, end: live ? Number.MAX_SAFE_INTEGER : start.head, sink });
    stage.feed.follow({
      filter: compileFilter({ ...filter, after }),
      start,
      live,
      framing: 'sse',
      sink,
      instance: '/',
    });
    await sleep(dice.between(0, 15));
  }
  isDone = true;
  await Promise.all(writers);
  const { position: head } = await backend.head();
  const log: CommittedEvent[] = [];
  for await (const block of backend.scan(compileFilter({}), { signal: new AbortController().signal })) {
    log.push(...(block.events() as CommittedEvent[]));
  }
  const reached = ({ sink, live }: (typeof crowd)[number]) =>
    live ? (sink.frames.findLast(({ id }) => id !== undefined)?.id ?? 0) >= head : sink.ending !== undefined;
  await eventually(() => crowd.every(reached), 'the crowd');
  let stalls = 0;
  for (const { after, filter, end, sink } of crowd) {
    stalls += sink.stalls;
    const meant = compileFilter({ ...filter, after });
    const expected = log.filter((event) => event.position <= end && matchesFilter(meant, event));
    const events = sink.frames.filter(({ event }) => event === undefined);
    t.same(
      events.map(({ position }) => position),
      expected.map(({ position }) => position),
      `${JSON.stringify(filter)} after ${after}`,
    );
    let told = after;
    const disorder = sink.frames.find(({ event, position }) => {
      const isWrong = event === undefined ? position <= told : position < told;
      told = position;
      return isWrong;
    });
    t.equal(disorder, undefined, 'nothing overtakes');
    t.equal(sink.frames.filter(({ event }) => event === 'caught-up').length, 1);
  }
  t.comment(`${log.length} events, ${stalls} stalls`);
  await stage.feed.stop();
  t.ok(crowd.every(({ sink }) => sink.ending === 'ended'));
});
