import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const clone = fileURLToPath(new URL('../../', import.meta.url));
const cache = join(clone, 'node_modules', '.cache', 'fixpoint');
/** Whatever a bundle is made of: what workflows import, and the libraries by their versions. */
const sources = ['workflows', 'domain', 'contracts'];

let bundle: Promise<{ code: string }> | undefined;

/**
 * The workflow bundle. Built once for sources that are the same, by whichever process of the tests comes
 * first, because it takes seconds.
 */
export function workflowBundle(): Promise<{ code: string }> {
  bundle ??= cachedBundle();
  return bundle;
}

async function cachedBundle(): Promise<{ code: string }> {
  const file = join(cache, `workflows-${digestOfSources()}.js`);
  const known = readIfThere(file);
  if (known !== null) return { code: known };
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(clone, 'workflows', 'index.ts'),
    logger: new DefaultLogger('WARN'),
  });
  mkdirSync(cache, { recursive: true });
  for (const name of readdirSync(cache)) {
    if (/^workflows-\w+\.js$/.test(name)) rmSync(join(cache, name), { force: true }); // Of older sources.
  }
  // Another process may build it too: each writes its own, and the last one stays.
  const own = `${file}.${process.pid}`;
  writeFileSync(own, code);
  renameSync(own, file);
  return { code };
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function digestOfSources(): string {
  const hash = createHash('sha256').update(readFileSync(join(clone, 'package-lock.json')));
  for (const folder of sources) {
    const names = readdirSync(join(clone, folder), { recursive: true, encoding: 'utf8' });
    for (const name of names.filter((each) => each.endsWith('.ts')).sort()) {
      hash.update(`\0${folder}/${name}\0`).update(readFileSync(join(clone, folder, name)));
    }
  }
  return hash.digest('hex').slice(0, 32);
}
