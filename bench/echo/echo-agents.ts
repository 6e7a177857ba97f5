// The other end of the floor: some thousand links in a process of their own, each answering 200 B
// to whatever comes.

import { WebSocket } from 'ws';
import { readIdentities } from '../fleet/identity-shards.ts';

export type EchoAgentsOrder = {
  readonly shards: readonly string[];
  readonly from: number;
  readonly count: number;
  readonly authority: string;
  readonly url: string;
  readonly localAddress: string;
};

const reply = Buffer.alloc(200, 'r');
const openingMax = 32;

async function start(order: EchoAgentsOrder): Promise<number> {
  const waiting = readIdentities(order.shards, order).values();
  const lane = async () => {
    for (const { certificate, key } of waiting) await connect(order, { cert: certificate, key });
  };
  await Promise.all(Array.from({ length: openingMax }, lane));
  return order.count;
}

function connect(
  order: EchoAgentsOrder,
  tls: { readonly cert: string; readonly key: string },
): Promise<void> {
  const socket = new WebSocket(order.url, {
    ...{ ...tls, ca: order.authority, minVersion: 'TLSv1.3', perMessageDeflate: false },
    localAddress: order.localAddress,
    // The gateway's certificate names 127.0.0.1 too; `ws` checks it as it checks any.
  });
  socket.on('message', () => socket.send(reply));
  return new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
}

process.on('disconnect', () => process.exit(0));
process.on('SIGINT', () => {}); // The parent ends us in order.
process.on('message', ({ id, order }: { id: number; order: EchoAgentsOrder }) => {
  start(order).then(
    (answer) => process.send?.({ id, answer }),
    (error: unknown) => process.send?.({ id, error: String(error) }),
  );
});
