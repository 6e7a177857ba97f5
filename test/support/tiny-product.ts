// A product of three plain processes, as `npm start` would run it, for tests to break:
//   node test/support/tiny-product.ts <state directory>

import { join } from 'node:path';
import { systemClock } from '../../platform/clock.ts';
import { markName, ownMarkOf } from '../../tools/start/ending.ts';
import { layoutAt } from '../../tools/start/layout.ts';
import type { PartSpec } from '../../tools/start/part.ts';
import { Product } from '../../tools/start/product.ts';
import { RunFile } from '../../tools/start/run-file.ts';

const state = process.argv[2] ?? '';
const layout = layoutAt(state);
const url = 'http://127.0.0.1:1';
const runFile = new RunFile(layout.runFile, {
  token: 'a token for the tests only',
  api: { url },
  gateway: { url },
  temporal: { address: '127.0.0.1:1', ui: url },
});

function shell(name: string, script: string): PartSpec {
  return {
    name,
    command: '/bin/sh',
    args: ['-c', script],
    env: { PATH: process.env['PATH'] ?? '', [markName]: ownMarkOf(state) },
    logFile: join(layout.logs, `${name}.log`),
    answers: () => Promise.resolve(true),
    readyWithinMs: 5_000,
    restart: true,
  };
}

const say = (line: string) => process.stdout.write(`${line}\n`);
const product = new Product({ clock: systemClock, layout, runFile, say }, [
  { parts: [shell('server', 'exec sleep 300')], stopGraceMs: 1_000 },
  {
    parts: [
      shell('talker', 'echo the last words; exec sleep 300'),
      // A child in a session of its own, of which nobody keeps a list.
      shell('parent', `setsid sleep 300 & echo $! > ${state}/stray; exec sleep 300`),
      shell('deaf', "trap '' TERM; while :; do sleep 300 & wait $!; done"),
    ],
    stopGraceMs: 300,
  },
]);
process.on('SIGTERM', () => {
  product.stop().then(() => process.exit(0));
});
await product.start();
say('ready');
setInterval(() => {}, 60_000);
