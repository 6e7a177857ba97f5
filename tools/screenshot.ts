import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { pageOf, remediationRow } from '../contracts/http.ts';
import { type RunFile, runFile } from '../contracts/run-file.ts';

// Makes docs/images/{list,remediation,details}.png from the product that runs in this clone:
// node tools/screenshot.ts [id of a remediation; else the newest that ended]

const clone = fileURLToPath(new URL('..', import.meta.url));
const images = join(clone, 'docs', 'images');
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
  const known = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
  const found = (given ? [given] : known).find((path) => existsSync(path));
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

/** Temporal UI keeps its settings in the browser. */
async function setUp(context: BrowserContext): Promise<void> {
  await context.addInitScript((wanted) => {
    localStorage.setItem('namespace-workflow-table-columns', JSON.stringify({ default: wanted }));
    localStorage.setItem('savedQueryNavOpen', 'false');
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
  // Read from the top, the events are in the order of the loop.
  const order = page.getByRole('button', { name: 'Descending' });
  if (await order.first().isVisible()) await order.first().click();
  const path = join(images, of.name);
  await page.screenshot({ path });
  process.stdout.write(`${path}\n`);
}

async function main(): Promise<void> {
  const product = runningProduct();
  const executablePath = browserPath();
  const { id, runId } = await newestEnded(product.run);
  const profile = mkdtempSync(join(tmpdir(), 'fixpoint-browser-'));
  mkdirSync(images, { recursive: true });
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    args: flags,
    viewport: { width: 1560, height: 1060 },
  });
  try {
    await setUp(context);
    const page = context.pages()[0] ?? (await context.newPage());
    const workflows = `${product.ui}/namespaces/default/workflows`;
    const query = encodeURIComponent('`WorkflowType`="remediation"');
    await picture(page, { url: `${workflows}?query=${query}`, shows: id, name: 'list.png' });
    const run = `${workflows}/${encodeURIComponent(id)}/${runId}`;
    await picture(page, { url: `${run}/timeline`, shows: 'planTargets', name: 'remediation.png' });
    await picture(page, { url: `${run}/user-metadata`, shows: 'Current', name: 'details.png' });
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

await main();
