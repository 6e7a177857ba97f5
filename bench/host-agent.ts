import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clone } from '../tools/start/layout.ts';
import { agentFlags } from '../tools/start/programs.ts';
import type { FleetFiles } from './fleet/fleet-files.ts';
import type { SimulatedIdentity } from './fleet/identity.ts';

/** A real agent in a process of its own, as `npm start` runs one. */
export class HostAgent {
  readonly agentId: string;
  readonly pid: number;
  readonly #child: ChildProcess;

  private constructor(agentId: string, child: ChildProcess) {
    this.agentId = agentId;
    this.pid = child.pid ?? 0;
    this.#child = child;
  }

  /** Starts it on a state folder below `folder`, which is made. It connects by itself. */
  static start(of: {
    readonly folder: string;
    readonly identity: SimulatedIdentity;
    readonly files: FleetFiles;
    /** Whose jobs it runs. */
    readonly trustFile: string;
    readonly gateway: string;
  }): HostAgent {
    const { identity, files } = of;
    const { agentId, journalId, name } = identity.record;
    const state = join(of.folder, agentId);
    // Of the first agent they are there already.
    for (const part of ['journal', 'secrets']) {
      mkdirSync(join(state, part), { recursive: true, mode: 0o700 });
    }
    const texts = {
      'identity.crt': identity.certificate,
      'identity.key': identity.key,
      'ca.crt': files.authority.certificate,
      'journal-id': journalId,
    };
    for (const [file, text] of Object.entries(texts)) {
      writeFileSync(join(state, file), text, { mode: 0o600 });
    }
    copyFileSync(of.trustFile, join(state, 'trust.json'));
    const log = openSync(join(of.folder, `${name}.log`), 'a', 0o600);
    const child = spawn(process.execPath, [...agentFlags, join(clone, 'agent', 'main.ts')], {
      cwd: state,
      env: {
        PATH: process.env['PATH'] ?? '',
        NODE_COMPILE_CACHE: join(of.folder, 'compile-cache'),
        FIXPOINT_AGENT_GATEWAYS: of.gateway,
        FIXPOINT_AGENT_STATE_DIR: state,
      },
      stdio: ['ignore', log, log],
    });
    return new HostAgent(agentId, child);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await gone;
  }
}
