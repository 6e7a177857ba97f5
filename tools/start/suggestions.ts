import { relative } from 'node:path';
import type { RunFile as RunRecord } from '../../contracts/run-file.ts';
import { localAgentNames } from './identities.ts';

/** What `npm start` prints when all is up: where things are, and three things to try. */
export function suggestions(of: {
  readonly record: Omit<RunRecord, 'pid' | 'pids'>;
  readonly demoDirectory: (agentName: string) => string;
  readonly demoPorts: readonly number[];
  readonly tookMs: number;
}): string {
  const { record } = of;
  const seconds = (of.tookMs / 1000).toFixed(1);
  const demoOf = (agent: string) => shellPath(of.demoDirectory(agent));
  return `
Fixpoint runs (${seconds} s).

  api           ${record.api.url}
  Temporal UI   ${record.temporal.ui ?? record.temporal.address}
  gateway       ${record.gateway.url}
  agents        ${agentsInWords(of.demoPorts.length)}
  demo services ${of.demoPorts.map((port) => `http://127.0.0.1:${port}/health`).join('  ')}

Try, in another terminal, in this folder:

  1. Kill the demo service of agent 2, say so as Alertmanager would, and watch the repair:
       kill $(cat ${demoOf('agent-2')}/service.pid)
       npx fixpoint alert send --demo service-down --agent agent-2
       npx fixpoint remediation tail last
       curl -s http://127.0.0.1:${of.demoPorts[1]}/health

  2. Let a cache that is too full be cleaned up:
       ls ${demoOf('agent-1')}/cache | wc -l
       npx fixpoint alert send --demo disk-full --agent agent-1
       npx fixpoint remediation ls

  3. Stop every repair, and allow them again:
       npx fixpoint control stop --reason "trying it out"
       npx fixpoint control allow --reason "tried"

Ctrl-C stops all of it.
`;
}

const agentsInWords = (count: number): string =>
  count > 3 ? `agent-1 to agent-${count}` : localAgentNames(count).join(', ');

/** As short as it can be said from here, and one word to a shell. */
function shellPath(path: string): string {
  const near = relative(process.cwd(), path);
  const shown = near.startsWith('..') ? path : near;
  return /^[\w./@-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", "'\\''")}'`;
}
