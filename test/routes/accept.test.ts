import t from 'tap';
import { preferred } from '../../routes/accept.ts';

const JSON_AND_LINES = ['application/json', 'application/x-ndjson'];

t.test('the first type on offer is given to those who do not mind', async (t) => {
  for (const accept of [undefined, '', '*/*', 'application/*', '*/*;q=0.1, text/html']) {
    t.equal(preferred(accept, JSON_AND_LINES), 'application/json', `${accept}`);
  }
});

t.test('the type with the greatest weight wins, by the most specific range that names it', async (t) => {
  t.equal(preferred('application/x-ndjson', JSON_AND_LINES), 'application/x-ndjson');
  t.equal(preferred('application/json;q=0.5, application/x-ndjson', JSON_AND_LINES), 'application/x-ndjson');
  t.equal(preferred('*/*, application/json;q=0.2', JSON_AND_LINES), 'application/x-ndjson');
  t.equal(preferred('APPLICATION/X-NDJSON ; Q=1', JSON_AND_LINES), 'application/x-ndjson');
  t.equal(
    preferred('text/html,application/xhtml+xml,*/*;q=0.8', ['application/json', 'text/html']),
    'text/html',
  );
});

t.test('a header that excludes everything on offer gives nothing', async (t) => {
  t.equal(preferred('text/html', JSON_AND_LINES), undefined);
  t.equal(preferred('application/json;q=0, application/x-ndjson;q=0', JSON_AND_LINES), undefined);
  t.equal(preferred('*/*;q=0', JSON_AND_LINES), undefined);
  t.equal(preferred('application/json;q=0, */*', ['application/json']), undefined);
});

t.test('a header that is none is ignored', async (t) => {
  t.equal(preferred('nonsense', JSON_AND_LINES), 'application/json');
  t.equal(preferred('application/json;q=high', JSON_AND_LINES), 'application/json');
});
