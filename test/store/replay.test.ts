import t from 'tap';
import type { NewEvent } from '../../src/model/event.ts';
import { isSameRequest } from '../../src/store/replay.ts';
import type { TakenEvent } from '../../src/store/store.ts';
import { event } from '../helpers/requests.ts';

/** An event as a client sends it again and again, with what the service adds to it or does not. */
function sent(members: { tags?: object; metadata?: object }, added?: readonly string[]): NewEvent {
  const { tags, metadata } = members as Parameters<typeof event>[0] & object;
  const one = event({
    id: '00000000-0000-4000-8000-000000000001',
    ...(tags && { tags }),
    ...(metadata && { metadata }),
  });
  return { ...one, sent: 1, ...(added && { added }) };
}

const taken = (one: NewEvent): TakenEvent => {
  const recordedAt = '2026-01-01T00:00:00.000Z';
  return { ...one, timestamp: recordedAt, recordedAt, position: 1, part: 0, parts: 1 };
};

function isSame(a: NewEvent, b: NewEvent): boolean {
  const [there, back] = [isSameRequest([a], [taken(b)]), isSameRequest([b], [taken(a)])];
  if (there !== back) throw new Error('whether two are the same depends on which came first');
  return there;
}

t.test('what was added does not count, on either side', async (t) => {
  const bare = sent({ metadata: { own: 1 } });
  const one = sent({ metadata: { own: 1, at: 1 } }, ['/metadata/at']);
  const two = sent({ metadata: { own: 1, at: 2, more: { x: 1 } } }, ['/metadata/at', '/metadata/more']);
  t.ok(isSame(one, bare));
  t.ok(isSame(one, two));
  t.ok(isSame(two, bare));
  t.notOk(isSame(one, sent({ metadata: { own: 2 } })), 'the rest does');
  t.notOk(isSame(one, sent({ metadata: { own: 1, at: 1 } })), 'also what was added where the client says it');
  t.ok(isSame(sent({ metadata: { at: 1 } }, ['/metadata/at']), sent({})), 'nothing is left');
});

t.test('inside of members too, and under any name', async (t) => {
  const bare = sent({ metadata: { geo: { x: 1 }, list: [1, 2] } });
  const nested = sent({ metadata: { geo: { x: 1, y: 2 }, list: [1, 'a', 2] } }, [
    '/metadata/geo/y',
    '/metadata/list/1',
  ]);
  t.ok(isSame(nested, bare));
  const named = { 'a/b': 1, 'c~d': 2, '': 3, '~1': 4 };
  const pointers = ['/metadata/a~1b', '/metadata/c~0d', '/metadata/', '/metadata/~01'];
  t.ok(isSame(sent({ metadata: named }, pointers), sent({ metadata: {} })));
});

t.test('tags lose the values that were added, one or all of them', async (t) => {
  const bare = sent({ tags: { k: 'a', other: ['x', 'y'] } });
  t.ok(isSame(sent({ tags: { k: ['a', 'b', 'c'], other: ['x', 'y'] } }, ['/tags/k/1', '/tags/k/2']), bare));
  t.ok(isSame(sent({ tags: { k: ['b', 'a'], other: ['x', 'y'] } }, ['/tags/k/0']), bare));
  t.ok(isSame(sent({ tags: { k: 'a', other: ['x', 'y'], new: 'n' } }, ['/tags/new']), bare));
  t.ok(isSame(sent({ tags: { k: 'a', other: ['x', 'y'], new: ['n', 'm'] } }, ['/tags/new']), bare));
  const each = ['/tags/new/0', '/tags/new/1'];
  t.ok(isSame(sent({ tags: { k: 'a', other: ['x', 'y'], new: ['n', 'm'] } }, each), bare));
  t.notOk(isSame(sent({ tags: { k: ['a', 'b'], other: ['x', 'y'] } }, ['/tags/k/0']), bare));
  t.ok(isSame(sent({ tags: { new: 'n' } }, ['/tags/new']), sent({})));
  t.notOk(isSame(sent({ tags: { k: 'a' } }), sent({ tags: { k: ['a'] } })), 'without additions texts count');
});

t.test('a pointer that leads nowhere takes nothing', async (t) => {
  const bare = sent({ metadata: { own: 1 } });
  const pointers = [
    '',
    '/',
    '/metadata/not/own',
    '/metadata/own/x',
    '/metadata/__proto__/toString',
    '/nothing/0',
  ];
  t.ok(isSame(sent({ metadata: { own: 1 } }, pointers), bare));
  t.equal(typeof Object.prototype.toString, 'function');
});
