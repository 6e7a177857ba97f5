import { join } from 'node:path';
import { JobFolder, type SignedJob } from '../../agent/job-folder.ts';

/** The folder of a job that is on no disk: it holds what the job was signed with, and no output. */
export class SimulatedJobFolder extends JobFolder {
  readonly #signed: SignedJob | null;

  constructor(jobId: string, signed: SignedJob | null) {
    super(join('/nonexistent', jobId), jobId);
    this.#signed = signed;
  }

  override signed(): SignedJob | null {
    return this.#signed;
  }
}
