import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { loadConfig, processEnvironment } from '../platform/config.ts';
import { temporalOptions } from '../platform/temporal.ts';

// Replays open runs on the workflows of this clone, as a new worker would (rule R13), and prints one
// JSON line for each: node tools/replay-open.ts [--limit 200]. It reads Temporal and changes nothing.
// The status is 1 if a run would not go on, 2 if they cannot be read.

type Open = { readonly id: string; readonly runId: string; readonly type: string };

const { values } = parseArgs({ options: { limit: { type: 'string', default: '200' } } });

Runtime.install({
  logger: new DefaultLogger('ERROR'),
  workerHeartbeatInterval: null,
  telemetryOptions: { logging: { filter: 'OFF' } },
});

try {
  process.exitCode = (await replayOpen(Number(values.limit))) ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}

/** Whether every run that was replayed would go on. */
async function replayOpen(limit: number): Promise<boolean> {
  const config = loadConfig(processEnvironment());
  const connection = await Connection.connect(temporalOptions(config));
  const client = new Client({ connection, namespace: config.temporalNamespace });
  try {
    const bundle = await bundleWorkflowCode({
      workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
      logger: new DefaultLogger('WARN'),
    });
    const open = new Map<string, Open>();
    let isWell = true;
    const results = Worker.runReplayHistories(
      { workflowBundle: bundle },
      historiesOf(client, { limit, open }),
    );
    for await (const { runId, error } of results) {
      isWell &&= error === undefined;
      const word = error === undefined ? null : wordOf(error);
      const row = { ...open.get(runId), result: resultOf(error), detail: word };
      process.stdout.write(`${JSON.stringify(row)}\n`);
    }
    return isWell;
  } finally {
    await connection.close();
  }
}

/** Open runs, newest first. One that ended or continued as new since it was listed replays all the same. */
async function* historiesOf(
  client: Client,
  of: { readonly limit: number; readonly open: Map<string, Open> },
) {
  const running = client.workflow.list({ query: 'ExecutionStatus = "Running"' });
  for await (const { workflowId, runId, type } of running) {
    if (of.open.size >= of.limit) return;
    of.open.set(runId, { id: workflowId, runId, type });
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    yield { workflowId, history };
  }
}

function resultOf(error: Error | undefined): string {
  if (error === undefined) return 'goes on';
  return error.name === 'DeterminismViolationError' ? 'differs' : 'failed';
}

/** The first line names the difference; what follows is a stack. */
function wordOf(error: Error): string {
  return error.message.split('\n')[0]?.slice(0, 500) ?? '';
}
