import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { connectionOf } from '../../../cli/connection.ts';

const run = {
  pid: 1,
  pids: { api: 2 },
  token: 'token-of-the-run-file',
  api: { url: 'http://127.0.0.1:9450' },
  gateway: { url: 'http://127.0.0.1:9452' },
  agentLink: { url: 'wss://127.0.0.1:9451' },
  metrics: {},
  temporal: { address: '127.0.0.1:9233', ui: 'http://127.0.0.1:9833/' },
  redis: { url: 'redis://127.0.0.1:9479' },
};

describe('where the command line goes', () => {
  let clone = '';
  let below = '';
  beforeEach(() => {
    clone = mkdtempSync(join(tmpdir(), 'fixpoint-clone-'));
    below = join(clone, 'runbooks', 'demo');
    mkdirSync(below, { recursive: true });
    mkdirSync(join(clone, '.fixpoint'));
    writeFileSync(join(clone, '.fixpoint', 'run.json'), JSON.stringify(run));
    writeFileSync(join(clone, 'token'), 'token-of-a-file\n');
  });
  afterEach(() => rmSync(clone, { recursive: true }));

  it('finds the run file from a folder below the clone', () => {
    assert.deepEqual(connectionOf({ flags: {}, environment: {}, cwd: below }), {
      api: { url: 'http://127.0.0.1:9450', token: run.token },
      gateway: { url: 'http://127.0.0.1:9452', token: run.token },
      temporalUi: 'http://127.0.0.1:9833',
    });
  });

  it('never sends the token of the run file to another server', () => {
    const found = connectionOf({
      flags: { url: 'http://192.0.2.1:8450/' },
      environment: {},
      cwd: below,
    });

    assert.deepEqual(found.api, { url: 'http://192.0.2.1:8450', token: null });
    assert.equal(found.gateway.token, run.token);
  });

  it('a flag wins over the environment, which wins over the run file', () => {
    const environment = {
      FIXPOINT_URL: 'http://127.0.0.1:1',
      FIXPOINT_TOKEN_FILE: join(clone, 'token'),
    };

    const byEnvironment = connectionOf({ flags: {}, environment, cwd: below });
    const byFlag = connectionOf({ flags: { url: 'http://127.0.0.1:2' }, environment, cwd: below });

    assert.deepEqual(byEnvironment.api, { url: 'http://127.0.0.1:1', token: 'token-of-a-file' });
    assert.equal(byFlag.api.url, 'http://127.0.0.1:2');
  });

  it('without any of them goes to the default port without a token', () => {
    const found = connectionOf({ flags: {}, environment: {}, cwd: tmpdir() });

    assert.deepEqual(found.api, { url: 'http://127.0.0.1:8450', token: null });
  });

  it('a damaged run file and a missing token file are named', () => {
    writeFileSync(join(clone, '.fixpoint', 'run.json'), '{"pid":');

    assert.throws(() => connectionOf({ flags: {}, environment: {}, cwd: below }), /run\.json/);
    assert.throws(
      () => connectionOf({ flags: { tokenFile: '/nowhere' }, environment: {}, cwd: tmpdir() }),
      { code: 'unauthenticated' },
    );
  });
});
