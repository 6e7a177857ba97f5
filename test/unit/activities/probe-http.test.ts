import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type HttpProofDeps, type PageAnswer, probeHttp } from '../../../activities/probe-http.ts';
import type { HttpProofInput } from '../../../contracts/activities.ts';
import { limits } from '../../../contracts/limits.ts';
import { errorPolicies, FixpointError } from '../../../domain/errors.ts';

const agent = (agentId: string) => ({
  agentId,
  journalId: 'j'.repeat(26),
  labels: new Map([
    ['hostname', `${agentId}.lan`],
    ['ip', '10.0.0.1'],
  ]),
});

describe('asking the pages of hosts', () => {
  const well: PageAnswer = { kind: 'answered', status: 200, text: 'all is well' };
  const ask = async (of: {
    readonly hosts: readonly string[];
    readonly pages?: Readonly<Record<string, PageAnswer>>;
    readonly input?: Partial<HttpProofInput['http']>;
    readonly deps?: Partial<HttpProofDeps>;
  }) => {
    const asked: string[] = [];
    const deps: HttpProofDeps = {
      inventory: async () => ({ complete: true, agents: of.hosts.map(agent) }),
      askPage: async (url) => {
        asked.push(url.href);
        return of.pages?.[url.hostname] ?? well;
      },
      egressAllow: ['*.lan'],
      ...of.deps,
    };
    const proof = await probeHttp(deps, {
      http: { url: 'http://${host.hostname}/health', status: 200, contains: 'well', ...of.input },
      timeoutMs: 1_000,
      hosts: of.hosts.map((agentId) => ({ agentId, labels: [['service', 'web']] })),
    });
    return { proof, asked };
  };

  it('passes a host whose page has the status and the text', async () => {
    const { proof, asked } = await ask({ hosts: ['h0', 'h1'] });

    assert.deepEqual(proof, { letters: 'ss', failures: [] });
    assert.deepEqual(asked, ['http://h0.lan/health', 'http://h1.lan/health']);
  });

  it('tells in a letter and in words why each other did not pass', async () => {
    const { proof } = await ask({
      hosts: ['h0', 'h1', 'h2', 'h3', 'h4'],
      pages: {
        'h0.lan': { kind: 'answered', status: 302, text: 'well' },
        'h1.lan': { kind: 'answered', status: 200, text: 'ill' },
        'h2.lan': { kind: 'no_answer' },
        'h3.lan': { kind: 'unreachable' },
      },
    });

    assert.equal(proof.letters, 'fftxs');
    assert.deepEqual(proof.failures, [
      { at: 0, detail: 'status 302, not 200' },
      { at: 1, detail: 'the page lacks the text of "contains"' },
      { at: 2, detail: 'no answer in 1000 ms' },
      { at: 3, detail: 'not reachable' },
    ]);
  });

  it('asks no host that the operator does not allow', async () => {
    const { proof, asked } = await ask({ hosts: ['h0'], deps: { egressAllow: ['127.0.0.1'] } });

    assert.deepEqual(asked, []);
    assert.equal(proof.letters, 'r');
    assert.match(proof.failures[0]?.detail ?? '', /h0\.lan .*FIXPOINT_EGRESS_ALLOW/);
  });

  it('asks nothing for a host that is not enrolled any more', async () => {
    const deps = { inventory: async () => ({ complete: true, agents: [] }) };

    const { proof, asked } = await ask({ hosts: ['h0'], deps });

    assert.deepEqual([proof.letters, asked], ['n', []]);
  });

  it('is tried again while the inventory may lack a part', async () => {
    const deps = { inventory: async () => ({ complete: false, agents: [] }) };

    await assert.rejects(ask({ hosts: ['h0'], deps }), (error) => {
      assert.ok(error instanceof FixpointError);
      return errorPolicies[error.code].retry === 'later';
    });
  });

  it('has no more than so many pages open at once', async () => {
    let [open, most] = [0, 0];
    const hosts = Array.from({ length: limits.probePagesAtOnce * 3 }, (_, at) => `h${at}`);
    const askPage = async () => {
      open += 1;
      most = Math.max(most, open);
      await new Promise((resolve) => setImmediate(resolve));
      open -= 1;
      return well;
    };

    const { proof } = await ask({ hosts, deps: { askPage } });

    assert.equal(proof.letters, 's'.repeat(hosts.length));
    assert.equal(most, limits.probePagesAtOnce);
  });
});
