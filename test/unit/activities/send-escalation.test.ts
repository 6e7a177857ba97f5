import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type EscalationDeps,
  recordEscalation,
  sendEscalation,
} from '../../../activities/send-escalation.ts';
import { errorPolicies, FixpointError } from '../../../domain/errors.ts';
import type { Posted } from '../../../platform/signed-post.ts';
import { anEscalation } from '../../support/escalation.ts';

const id = 'remediation:restart-web:web~0:1-1';

describe('sending an escalation', () => {
  const send = async (of: {
    readonly posted?: Posted;
    readonly url?: string;
    readonly deps?: Partial<EscalationDeps>;
  }) => {
    const posts: { url: string; body: { data: { temporalUi: string | null } } }[] = [];
    const counted: string[] = [];
    const records: unknown[] = [];
    const deps: EscalationDeps = {
      egressAllow: ['hooks.example'],
      postEscalation: async ({ url, body }) => {
        posts.push({ url: url.href, body: JSON.parse(body) });
        return of.posted ?? { kind: 'taken' };
      },
      pageOf: (of) => `http://ui/${of}`,
      audit: { append: async (entry) => records.push(entry) },
      escalated: (result) => counted.push(result),
      ...of.deps,
    };
    const url = of.url ?? 'https://hooks.example/x';
    const { body } = anEscalation();
    const error = await sendEscalation(deps, { id, url, body }).catch((thrown: unknown) => thrown);
    assert.ok(error === undefined || error instanceof FixpointError);
    return { error, posts, counted, records, deps };
  };

  it('posts the account with a link to the run', async () => {
    const { error, posts, counted } = await send({});

    assert.equal(error, undefined);
    assert.deepEqual(
      posts.map(({ url, body }) => [url, body.data.temporalUi]),
      [['https://hooks.example/x', `http://ui/${id}`]],
    );
    assert.deepEqual(counted, ['delivered']);
  });

  it('a try that failed is made again, one that can never succeed is not', async () => {
    const retryOf = ({ error }: Awaited<ReturnType<typeof send>>) =>
      error && errorPolicies[error.code].retry;

    const failed = await send({ posted: { kind: 'failed', why: 'status 503' } });
    const gone = await send({ posted: { kind: 'gone' } });
    const elsewhere = await send({ url: 'https://elsewhere.example/' });
    const unsigned = await send({ deps: { postEscalation: undefined } });

    assert.deepEqual([failed, gone, elsewhere, unsigned].map(retryOf), [
      'later',
      'never',
      'never',
      'never',
    ]);
    assert.deepEqual(failed.counted, ['failed']);
    assert.match(failed.error?.message ?? '', /status 503/);
    assert.deepEqual(elsewhere.posts, []);
    assert.match(elsewhere.error?.message ?? '', /elsewhere\.example .*FIXPOINT_EGRESS_ALLOW/);
    assert.match(unsigned.error?.message ?? '', /FIXPOINT_ESCALATION_SECRET/);
  });

  it('its end is recorded, and one that nobody took is counted', async () => {
    const { deps, counted, records } = await send({});

    await recordEscalation(deps, {
      ...{ remediationId: id, policy: 'restart-web', state: 'dead', reason: 'status 503' },
    });

    assert.deepEqual(counted, ['delivered', 'dead']);
    assert.deepEqual(records, [
      {
        kind: 'escalation.dead',
        actor: 'fixpoint',
        object: id,
        detail: { policy: 'restart-web', reason: 'status 503' },
      },
    ]);
  });
});
