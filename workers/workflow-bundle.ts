import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { sha256Hex } from '../platform/digest.ts';

const clone = fileURLToPath(new URL('../', import.meta.url));
/** Whatever a bundle is made of: what workflows import, and the libraries by their versions. */
const sources = ['workflows', 'domain', 'contracts'];

let bundle: Promise<{ readonly code: string }> | undefined;

/**
 * What a worker of workflows runs. It takes seconds to build and only changes with the sources, so it is
 * kept beside the packages: a worker that died is back sooner. Where nothing can be kept it is built
 * each time.
 */
export function workflowBundle(): Promise<{ readonly code: string }> {
  bundle ??= bundleKeptIn(join(clone, 'node_modules', '.cache', 'fixpoint'));
  return bundle;
}

/**
 * The bundle that is kept in this folder if it is whole and of these sources, else a new one. `interceptors`
 * are files beyond the sources that it holds too; a folder keeps one bundle.
 */
export async function bundleKeptIn(
  cache: string,
  interceptors: readonly string[] = [],
): Promise<{ readonly code: string }> {
  const file = join(cache, `workflows-${digestOfSources(interceptors)}.js`);
  const known = readIfThere(file);
  if (known !== null) return { code: known };
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(clone, 'workflows', 'index.ts'),
    workflowInterceptorModules: [...interceptors],
    logger: new DefaultLogger('WARN'),
  });
  keep(cache, file, code);
  return { code };
}

/** The code behind its digest; null if it is not there or not whole: then it is built again. */
function readIfThere(file: string): string | null {
  try {
    const text = readFileSync(file, 'utf8');
    const end = text.indexOf('\n');
    const code = text.slice(end + 1);
    return text.slice(0, end) === sha256Hex(code) ? code : null;
  } catch {
    return null;
  }
}

function keep(cache: string, file: string, code: string): void {
  try {
    mkdirSync(cache, { recursive: true });
    for (const name of readdirSync(cache)) {
      if (/^workflows-\w+\.js$/.test(name)) rmSync(join(cache, name), { force: true }); // Of older sources.
    }
    // Another process may build it too: each writes its own, and the last one stays.
    const own = `${file}.${process.pid}`;
    writeFileSync(own, `${sha256Hex(code)}\n${code}`);
    renameSync(own, file);
  } catch {
    // A folder that may not be written to costs seconds at the next start, no more.
  }
}

function digestOfSources(interceptors: readonly string[]): string {
  const hash = createHash('sha256').update(readFileSync(join(clone, 'package-lock.json')));
  for (const folder of sources) {
    const names = readdirSync(join(clone, folder), { recursive: true, encoding: 'utf8' });
    for (const name of names.filter((each) => each.endsWith('.ts')).sort()) {
      hash.update(`\0${folder}/${name}\0`).update(readFileSync(join(clone, folder, name)));
    }
  }
  for (const path of interceptors) hash.update(`\0${path}\0`).update(readFileSync(path));
  return hash.digest('hex').slice(0, 32);
}
