import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readIdentity } from '../../agent/identity-files.ts';
import { Supervised } from './supervised.ts';

const main = join(import.meta.dirname, '../../agent/main.ts');

/** A fresh host whose agent is enrolled at its first start by a token, and runs on as a service. */
export class SupervisedAgent {
  readonly process: Supervised;
  readonly state: string;
  readonly #folder: string;

  private constructor(folder: string, process: Supervised) {
    this.#folder = folder;
    this.state = join(folder, 'state');
    this.process = process;
  }

  /** With an agent that dies once at each of `points`. */
  static start(token: string, ...points: readonly string[]): SupervisedAgent {
    const folder = mkdtempSync(join(tmpdir(), 'fixpoint-supervised-agent-'));
    mkdirSync(join(folder, 'crash'));
    for (const point of points) writeFileSync(join(folder, 'crash', `agent.${point}`), '');
    return new SupervisedAgent(folder, SupervisedAgent.#run(folder, token));
  }

  static #run(folder: string, token: string): Supervised {
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, token);
    return new Supervised({
      ...{ program: 'agent', main, folder },
      environment: {
        FIXPOINT_AGENT_STATE_DIR: join(folder, 'state'),
        FIXPOINT_AGENT_TOKEN_FILE: tokenFile,
      },
    });
  }

  /** Another agent on the same host, after the one before has given up. */
  again(token: string): SupervisedAgent {
    return new SupervisedAgent(this.#folder, SupervisedAgent.#run(this.#folder, token));
  }

  /** Who it is by its own state folder. */
  get agentId(): string {
    return readIdentity(this.state).agentId;
  }

  /** A file of its state folder, or null. */
  read(name: string): string | null {
    const path = join(this.state, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : null;
  }

  async remove(): Promise<void> {
    await this.process.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
