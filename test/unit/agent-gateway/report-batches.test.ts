import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ReportBatches, type ReportStore } from '../../../agent-gateway/report-batches.ts';
import { plainReport } from '../../../domain/job.ts';

const report = (agentId: string) => ({
  ...{ agentId, sessionId: 's' },
  report: plainReport('succeeded', null),
});

describe('batches of reports', () => {
  it('gathers what comes in one turn, and while a step is under way, task by task', async () => {
    const steps: [string, string[]][] = [];
    const opened: (() => void)[] = [];
    const store: ReportStore = async ({ taskId, reports }) => {
      steps.push([taskId, reports.map(({ agentId }) => agentId)]);
      await new Promise<void>((resolve) => opened.push(resolve));
      return reports.map(() => 'applied');
    };
    const batches = new ReportBatches(store);

    const first = [batches.add('t1', report('a')), batches.add('t1', report('b'))];
    const other = batches.add('t2', report('a'));
    await new Promise(setImmediate);
    const second = [batches.add('t1', report('c')), batches.add('t1', report('d'))];
    opened.shift()?.();
    await Promise.all(first);
    await new Promise(setImmediate);
    for (const open of opened) open();

    assert.deepEqual(await Promise.all([...first, ...second, other]), Array(5).fill('applied'));
    assert.deepEqual(steps, [
      ['t1', ['a', 'b']],
      ['t2', ['a']],
      ['t1', ['c', 'd']],
    ]);
  });

  it('a step that fails fails its reports alone, and each may be added again', async () => {
    let isAway = true;
    const batches = new ReportBatches(async ({ reports }) => {
      if (isAway) throw new Error('Redis is away');
      return reports.map(() => 'applied');
    });

    await assert.rejects(batches.add('t1', report('a')), /away/);
    isAway = false;

    assert.equal(await batches.add('t1', report('a')), 'applied');
  });
});
