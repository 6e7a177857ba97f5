import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { certificateRequest } from '../../../agent/certificate-request.ts';
import { newKey } from '../../../agent/enrolment.ts';
import { createAuthority, type KeyPair } from '../../../agent-gateway/certificates.ts';
import { Enrolment } from '../../../agent-gateway/enrolment.ts';
import { IssueRegister } from '../../../agent-gateway/issue-register.ts';
import { journalIdFrom } from '../../../domain/ids.ts';
import { AuditLog } from '../../../platform/audit.ts';
import { systemClock } from '../../../platform/clock.ts';
import { noCrashPoints } from '../../../platform/crash-point.ts';
import { silentLog } from '../../../platform/log.ts';

const folder = mkdtempSync(join(tmpdir(), 'fixpoint-enrolment-'));
after(() => rmSync(folder, { recursive: true }));

/** A register whose folder can be read until an agent stands in it, and then no more. */
class FailingRegister extends IssueRegister {
  override async read(): Promise<void> {
    await super.read();
    if (this.agents.size > 0) throw new Error('EIO: i/o error, read');
  }
}

describe('a gateway that enrols', () => {
  let authority: KeyPair;
  let uses = 1;
  before(async () => {
    authority = await createAuthority(systemClock);
  });

  const enrolmentOf = (register: IssueRegister) =>
    new Enrolment({
      register,
      certificates: { current: { authorities: [], own: authority, issuer: authority } },
      tokens: {
        create: async () => {},
        use: async () => {
          uses -= 1;
          return {
            kind: 'granted',
            grant: { name: 'web', isPrefix: true, labels: {}, replace: false },
          };
        },
        giveBack: async () => {
          uses += 1;
        },
      },
      gate: { lockOf: () => null, wishLock: async () => {} },
      audit: new AuditLog({ directory: join(folder, 'audit'), writer: 'g', clock: systemClock }),
      trust: () => null,
      agentGateways: () => [],
      certificateLifeMs: 60_000,
      ...{ crash: noCrashPoints, clock: systemClock, log: silentLog },
    });
  const body = () => ({
    secret: 's'.repeat(32),
    request: certificateRequest(createPrivateKey(newKey())),
    journalId: journalIdFrom(systemClock.randomBytes(17)),
  });
  const at = (name: string) => ({ file: join(folder, name), clock: systemClock });

  it('gives no use back when it fails after the agent stands in the register', async () => {
    uses = 1;

    await assert.rejects(enrolmentOf(new FailingRegister(at('durable'))).enrol(body(), 'h'), /EIO/);

    const register = new IssueRegister(at('durable'));
    await register.read();
    assert.equal(register.agents.size, 1);
    assert.equal(uses, 0, 'the token would enrol a second host');
  });

  it('gives the use back when it fails before a byte is in the register', async () => {
    uses = 1;
    mkdirSync(join(folder, 'blocked', 'issued'), { recursive: true });

    await assert.rejects(enrolmentOf(new IssueRegister(at('blocked/issued'))).enrol(body(), 'h'));

    assert.equal(uses, 1);
  });
});
