import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { pageOf, remediationRow } from '../contracts/http.ts';
import { type RunFile, runFile } from '../contracts/run-file.ts';

// Makes docs/images/{list,remediation}.png from the product that runs in this clone:
// node tools/screenshot.ts [id of a remediation; else the newest that ended]

const clone = fileURLToPath(new URL('..', import.meta.url));
const images = join(clone, 'docs', 'images');
const viewport = { width: 1440, height: 1000 };
/** Nothing but the page itself: no first run, no updates, no background requests. */
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** Columns of the list, in Temporal UI's own form and place. */
const columns = [
  'Status',
  'Workflow ID',
  'FixpointState',
  'FixpointPolicy',
  'FixpointHosts',
  'FixpointHostsFailed',
  'Start',
].map((label) => ({ label, pinned: false }));

function fail(message: string, fix: string): never {
  process.stderr.write(`error: ${message}\n  fix: ${fix}\n`);
  process.exit(1);
}

function runningProduct(): { readonly run: RunFile; readonly ui: string } {
  const path = join(process.env['FIXPOINT_STATE_DIR'] || join(clone, '.fixpoint'), 'run.json');
  if (!existsSync(path)) fail('Fixpoint does not run in this clone', 'npm start');
  const run = runFile.parse(JSON.parse(readFileSync(path, 'utf8')));
  const ui =
    run.temporal.ui ?? fail('the address of Temporal UI is not known', 'unset TEMPORAL_ADDRESS');
  return { run, ui: ui.replace(/\/+$/, '') };
}

function browserPath(): string {
  const given = process.env['CHROMIUM'];
  const found = [given, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
    .filter((path) => path !== undefined && path !== '')
    .find((path) => existsSync(path ?? ''));
  return (
    found ??
    fail(
      'there is no Chromium',
      'install the package chromium, or name a Chromium with CHROMIUM=/path',
    )
  );
}

async function newestEnded(run: RunFile): Promise<{ readonly id: string; readonly runId: string }> {
  const answer = await fetch(`${run.api.url}/v1/remediations?limit=100`, {
    headers: { authorization: `Bearer ${run.token}` },
  });
  const { items } = pageOf(remediationRow).parse(await answer.json());
  const wanted = process.argv[2];
  const found = items.find((row) =>
    wanted === undefined ? row.endedAt !== null : row.id === wanted,
  );
  return (
    found ??
    fail(
      wanted === undefined ? 'no remediation has ended yet' : `there is no remediation ${wanted}`,
      'npx fixpoint alert send --demo service-down --agent agent-2, then npx fixpoint remediation tail last',
    )
  );
}

/** Temporal UI keeps the columns of its list in the browser. */
async function setColumns(context: BrowserContext): Promise<void> {
  await context.addInitScript((wanted) => {
    localStorage.setItem('namespace-workflow-table-columns', JSON.stringify({ default: wanted }));
    localStorage.setItem('nav-open', 'false');
  }, columns);
}

async function picture(
  page: Page,
  of: { url: string; shows: string; name: string },
): Promise<void> {
  await page.goto(of.url, { waitUntil: 'domcontentloaded', timeout: 30_000 });
  await page.getByText(of.shows, { exact: false }).first().waitFor({ timeout: 30_000 });
  // Charts and rows come by requests of their own; afterwards nothing more is asked.
  await page.waitForLoadState('networkidle', { timeout: 15_000 }).catch(() => undefined);
  const path = join(images, of.name);
  await page.screenshot({ path });
  process.stdout.write(`${path}\n`);
}

async function main(): Promise<void> {
  const { run, ui } = runningProduct();
  const executablePath = browserPath();
  const { id, runId } = await newestEnded(run);
  const profile = mkdtempSync(join(tmpdir(), 'fixpoint-browser-'));
  mkdirSync(images, { recursive: true });
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    args: flags,
    viewport,
  });
  try {
    await setColumns(context);
    const page = context.pages()[0] ?? (await context.newPage());
    const workflows = `${ui}/namespaces/default/workflows`;
    const query = encodeURIComponent('`WorkflowType`="remediation"');
    await picture(page, { url: `${workflows}?query=${query}`, shows: id, name: 'list.png' });
    const history = `${workflows}/${encodeURIComponent(id)}/${runId}/history`;
    await picture(page, { url: history, shows: 'plan ·', name: 'remediation.png' });
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

await main();
