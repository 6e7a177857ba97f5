import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { Inventory } from '../../../agent-gateway/inventory.ts';
import { IssueRegister } from '../../../agent-gateway/issue-register.ts';
import { systemClock } from '../../../platform/clock.ts';
import { noCrashPoints } from '../../../platform/crash-point.ts';
import { silentLog } from '../../../platform/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const agentId = '0123456789ab';

async function anInventory(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'fixpoint-inventory-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const registerFile = join(directory, 'issued.jsonl');
  const register = new IssueRegister({ file: registerFile, clock: systemClock });
  const issue = (id: string, name: string) =>
    register.append(async () => [
      {
        ...{ agentId: id, name, labels: {}, journalId: '0'.repeat(26) },
        ...{ serial: '1', issuedAt: 1, notAfter: 2 },
      },
    ]);
  await issue(agentId, 'agent-1');
  const published: number[] = [];
  const inventory = new Inventory({
    register: new IssueRegister({ file: registerFile, clock: systemClock }),
    publishedVersion: async () => null,
    publish: async ({ agents }) => void published.push(agents.length),
    ...{ crash: noCrashPoints, clock: new ManualClock() },
    log: silentLog,
  });
  await inventory.refresh();
  return { inventory, registerFile, published, issue };
}

describe('inventory', () => {
  it('a register that is suddenly gone leaves what was known and publishes nothing', async (t) => {
    const { inventory, registerFile, published } = await anInventory(t);

    await rm(registerFile);
    await assert.rejects(inventory.refresh(), { code: 'inventory_incomplete' });
    await writeFile(registerFile, '');
    await assert.rejects(inventory.refresh(), { code: 'inventory_incomplete' });

    assert.equal(inventory.byId(agentId)?.name, 'agent-1');
    assert.deepEqual(published, [1]);
  });

  it('a host that another gateway enrolled a moment ago is known when a task names it', async (t) => {
    const { inventory, issue } = await anInventory(t);
    const [fresh, stranger] = ['cccccccccccc', 'dddddddddddd'];
    await issue(fresh, 'agent-2');

    const enrolled = await inventory.enrolled([agentId, fresh, stranger]);

    assert.deepEqual([...enrolled], [agentId, fresh]);
  });

  it('nobody is called not enrolled while the register cannot be read', async (t) => {
    const { inventory, registerFile } = await anInventory(t);
    await rm(registerFile);

    await assert.rejects(inventory.enrolled([agentId, 'dddddddddddd']), {
      code: 'inventory_incomplete',
    });
    assert.deepEqual([...(await inventory.enrolled([agentId]))], [agentId]);
  });
});
