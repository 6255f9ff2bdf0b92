import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/**
 * Loaded before the writer: makes calls of the file system fail that strace cannot choose, or cannot make fail in
 * this way. `STELE_FAULTY_CALL` is one of
 *
 *   write short <n>        the n-th write takes half of its bytes; n = 0: every write takes at most 64 of them
 *   open <code> <n>        the n-th open fails with the code, such as EIO
 *   open KILL <n>          the process is killed before it
 *
 * A short write is a real one: the bytes that it is said to have taken are in the file.
 */
const [call, how = '', nth = '0'] = (process.env['STELE_FAULTY_CALL'] ?? '').split(' ');
const SHORT_BYTES = 64;
let calls = 0;

if (call === 'write') {
  const write = fs.write as unknown as (...args: unknown[]) => void;
  replace('write', (fd: unknown, bytes: unknown, from: unknown, length: unknown, ...rest: unknown[]) => {
    calls += 1;
    const wanted = Number(length);
    let taken = wanted;
    if (nth === '0') taken = Math.min(wanted, SHORT_BYTES);
    else if (calls === Number(nth)) taken = Math.ceil(wanted / 2);
    write(fd, bytes, from, taken, ...rest);
  });
}

if (call === 'open') {
  const open = fs.open as unknown as (...args: unknown[]) => void;
  replace('open', (...args: unknown[]) => {
    calls += 1;
    if (calls !== Number(nth)) return open(...args);
    if (how === 'KILL') process.kill(process.pid, 'SIGKILL');
    const callback = args.at(-1) as (error: Error) => void;
    setImmediate(callback, Object.assign(new Error(`${how}: injected, open`), { code: how }));
  });
}

function replace(name: 'write' | 'open', replacement: (...args: unknown[]) => void): void {
  Object.assign(fs, { [name]: replacement });
  syncBuiltinESMExports();
}
