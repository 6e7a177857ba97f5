import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { isFree } from '../../tools/start/ports.ts';

// Below what Linux and macOS give to outgoing connections and to servers that ask for any port, and
// below the ports of embedded products: a port from there stays free while its server is down.
const lowest = 10_000;
const blocks = 200;
const portsOfBlock = 50;

/** Nobody listens there, and no other process of the suite is given it while this one lives. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await nextPort();
    if (await isFree(port)) return port;
  }
}

let block = Promise.resolve(0);
let given = 0;

async function nextPort(): Promise<number> {
  // The first port of a block holds the claim.
  const at = (given % (portsOfBlock - 1)) + 1;
  if (at === 1) block = claimedBlock();
  given += 1;
  return (await block) + at;
}

/** The first port of a block that this process has from now on until it ends, whatever ends it. */
async function claimedBlock(): Promise<number> {
  for (let tried = 0; tried < blocks; tried++) {
    const from = lowest + ((process.pid + tried) % blocks) * portsOfBlock;
    const claim = createServer().listen(from, '127.0.0.1');
    if (await isListening(claim)) {
      claim.unref();
      return from;
    }
  }
  throw new Error(`all ${blocks} blocks of ports from ${lowest} on are taken`);
}

function isListening(server: Server): Promise<boolean> {
  return once(server, 'listening').then(
    () => true,
    () => false,
  );
}
