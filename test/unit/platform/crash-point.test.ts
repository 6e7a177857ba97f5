import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { FixpointError } from '../../../domain/errors.ts';
import { loadConfig } from '../../../platform/config.ts';
import {
  armedCrashPoints,
  crashPoints,
  enrolmentCrashPoints,
  lossCrashPoints,
  noCrashPoints,
  registerCrashPoints,
} from '../../../platform/crash-point.ts';

const module = join(import.meta.dirname, '../../../platform/crash-point.ts');

describe('crash points', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'fixpoint-crash-point-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Reaches a point in a process of its own. */
  const reach = (armed: string, point: string) =>
    spawnSync(process.execPath, [
      '--input-type=module-typescript',
      '--eval',
      `import { armedCrashPoints } from '${module}'; armedCrashPoints('${armed}', 'agent')('${point}');`,
    ]).signal;

  it('unarmed do nothing at all', () => {
    assert.equal(armedCrashPoints(undefined, 'api'), noCrashPoints);
    assert.equal(armedCrashPoints('', 'api'), noCrashPoints);
  });

  it('kill the first process that reaches the armed one, and none after it', () => {
    const armed = `after-intent@${join(folder, 'marker')}`;

    assert.equal(reach(armed, 'before-intent'), null);
    assert.equal(reach(armed, 'after-intent'), 'SIGKILL');
    assert.equal(reach(armed, 'after-intent'), null);
  });

  it('armed by a folder kill the program that the file names, once per file', () => {
    writeFileSync(join(folder, 'gateway.after-intent'), '');
    assert.equal(reach(folder, 'after-intent'), null);

    writeFileSync(join(folder, 'agent.after-intent'), '');
    assert.equal(reach(folder, 'after-intent'), 'SIGKILL');
    assert.ok(existsSync(join(folder, 'agent.after-intent.died')));
    assert.equal(reach(folder, 'after-intent'), null);
  });

  it('each stand in one table with the boundary in words, and no two of a program have one name', () => {
    const tables = [crashPoints, enrolmentCrashPoints, lossCrashPoints, registerCrashPoints];
    const rows = tables
      .flatMap((table) => Object.entries(table))
      .flatMap(([program, points]) =>
        Object.entries(points).map(([point, boundary]) => ({
          name: `${program}.${point}`,
          boundary: String(boundary),
        })),
      );

    assert.ok(rows.length >= 60, `${rows.length} points`);
    assert.equal(new Set(rows.map(({ name }) => name)).size, rows.length);
    for (const { name, boundary } of rows) assert.match(boundary, /^.{15,80}$/, name);
  });

  it('are refused by the configuration of production', () => {
    const armed = { FIXPOINT_CRASH_POINT: '/crash' };
    const flawsOf = (environment: Record<string, string>): string => {
      try {
        return String(loadConfig({ ...armed, ...environment }).crashPoint);
      } catch (error) {
        assert.ok(error instanceof FixpointError);
        return error.flaws.map(({ field, fix }) => `${field} ${fix}`).join();
      }
    };

    assert.equal(flawsOf({}), '/crash');
    assert.equal(flawsOf({ FIXPOINT_AGENT_LISTEN: '[::1]:8451' }), '/crash');
    for (const production of [
      { TEMPORAL_ADDRESS: 'temporal.example:7233' },
      { REDIS_URL: 'rediss://:secret@10.0.0.7:6379' },
      { FIXPOINT_AGENT_LISTEN: '0.0.0.0:8451' },
      { FIXPOINT_GATEWAY_URL: 'https://127.0.0.1.example:8452' },
      { FIXPOINT_STATE_DIR: '/var/lib/fixpoint' },
    ]) {
      assert.match(flawsOf(production), /^FIXPOINT_CRASH_POINT is for tests .*production/);
      assert.doesNotMatch(flawsOf(production), /secret/);
    }
    assert.equal(loadConfig({ TEMPORAL_ADDRESS: 'temporal.example:7233' }).crashPoint, undefined);
  });
});
