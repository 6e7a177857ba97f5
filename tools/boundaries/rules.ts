import type { Import, SourceFile } from './source-file.ts';

/** A line that breaks a rule of the house. */
export type Breach = {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
  readonly message: string;
};

const programs = ['api', 'agent-gateway', 'workers', 'agent', 'cli'] as const;
const nothingAtRunTime = ['test', 'tools', 'bench'];

const folderOf = (path: string): string => path.split('/')[0] ?? '';
const isBuiltin = ({ specifier }: Import): boolean => specifier.startsWith('node:');
const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

type ImportRule = {
  readonly rule: string;
  readonly appliesTo: (file: string) => boolean;
  /** The reason why `found` may not be imported, or null if it may. */
  readonly refuse: (found: Import, file: string) => string | null;
};

const inFolder = (folder: string) => (file: string) => folderOf(file) === folder;

// Trust is among them because nobody between may judge a signature for the agent.
const agentMayUse =
  /^(agent\/.*|contracts\/(task|frames|trust|events|limits|enrolment)\.ts|domain\/(ids|errors|job)\.ts|platform\/(log|clock|shutdown|digest|trust-bundle|crash-point)\.ts)$/;
const agentPackages = ['ws', 'yaml', 'zod'];
const socketsAndStores = ['ioredis', 'fastify', 'ws', '@temporalio/client', '@temporalio/worker'];
const networkBuiltins = ['node:http', 'node:https', 'node:net', 'node:tls', 'node:http2'];

const importRules: readonly ImportRule[] = [
  {
    rule: 'contracts-zod-only',
    appliesTo: inFolder('contracts'),
    refuse: ({ path, specifier }) =>
      path === null
        ? specifier === 'zod'
          ? null
          : `contracts are what two processes agree on: zod only, not ${specifier}`
        : folderOf(path) === 'contracts'
          ? null
          : `contracts import nothing of ours, not ${path}`,
  },
  {
    rule: 'domain-pure',
    appliesTo: inFolder('domain'),
    refuse: ({ path, specifier, isType }) => {
      if (path !== null && folderOf(path) === 'domain') return null;
      if (path !== null && folderOf(path) === 'contracts') {
        const isPlain = isType || path === 'contracts/limits.ts';
        return isPlain ? null : 'rules take types and limits from contracts, nothing at run time';
      }
      // A pure matcher of regular expressions, with RE2's guarantees; no I/O.
      if (specifier === 're2js') return null;
      return `rules are pure: no I/O, no package, so not ${path ?? specifier}`;
    },
  },
  {
    rule: 'workflows-deterministic',
    appliesTo: inFolder('workflows'),
    refuse: ({ path, specifier, isType }) => {
      if (path === null) {
        const isSdk = ['@temporalio/workflow', '@temporalio/common'].includes(packageOf(specifier));
        return isSdk || (isType && !specifier.startsWith('node:'))
          ? null
          : `workflows replay: no ${specifier} inside`;
      }
      const folder = folderOf(path);
      if (folder === 'workflows' || folder === 'domain') return null;
      if (['contracts/temporal.ts', 'contracts/limits.ts'].includes(path)) return null;
      if (isType && (folder === 'contracts' || folder === 'activities')) return null;
      return `workflows use domain, contracts/temporal.ts and limits.ts; the rest by import type, so not ${path}`;
    },
  },
  {
    rule: 'activities-by-deps',
    appliesTo: inFolder('activities'),
    refuse: ({ path, specifier, isType }) => {
      if (isType)
        return path !== null && isProgram(path) ? `activities know no program: ${path}` : null;
      if (path === null) {
        const isReach =
          socketsAndStores.includes(packageOf(specifier)) || networkBuiltins.includes(specifier);
        return isReach
          ? `activities reach stores and sockets through their deps, not ${specifier}`
          : null;
      }
      return ['activities', 'domain', 'contracts', 'platform'].includes(folderOf(path))
        ? null
        : `activities reach ${path} through their deps`;
    },
  },
  {
    rule: 'programs-apart',
    appliesTo: (file) => isProgram(file),
    refuse: ({ path }, file) => {
      if (path === null) return null;
      const [from, to] = [folderOf(file), folderOf(path)];
      if (isProgram(path) && from !== to) {
        return `programs meet in contracts, Redis or Temporal: ${from} may not import ${to}`;
      }
      const isInner = to === 'workflows' || to === 'activities';
      return isInner && from !== 'workers' ? `only workers run ${to}` : null;
    },
  },
  {
    rule: 'agent-small',
    appliesTo: inFolder('agent'),
    refuse: (found) => {
      if (found.path !== null) {
        return agentMayUse.test(found.path)
          ? null
          : `the agent stays small enough to audit: not ${found.path}`;
      }
      const isAllowed = isBuiltin(found) || agentPackages.includes(packageOf(found.specifier));
      return isAllowed ? null : `the agent stays small enough to audit: not ${found.specifier}`;
    },
  },
  {
    rule: 'redis-serves',
    appliesTo: inFolder('redis'),
    refuse: ({ path, isType }) => {
      if (path === null || isType) return null;
      return ['redis', 'domain', 'contracts', 'platform'].includes(folderOf(path))
        ? null
        : `redis implements what its users declare; it takes types from ${folderOf(path)} only`;
    },
  },
  {
    rule: 'platform-below',
    appliesTo: inFolder('platform'),
    refuse: ({ path }) =>
      path === null || ['platform', 'domain', 'contracts'].includes(folderOf(path))
        ? null
        : `platform is below everything: not ${path}`,
  },
  {
    rule: 'product-alone',
    appliesTo: (file) => !nothingAtRunTime.includes(folderOf(file)) && file.includes('/'),
    refuse: ({ path }) =>
      path !== null && nothingAtRunTime.includes(folderOf(path))
        ? `the product does not import ${folderOf(path)}`
        : null,
  },
];

function isProgram(path: string): boolean {
  return programs.some((program) => program === folderOf(path));
}

type CodeRule = {
  readonly rule: string;
  readonly pattern: RegExp;
  readonly appliesTo: (file: string) => boolean;
  readonly message: string;
};

const isProduct = (file: string): boolean =>
  file.includes('/') && !nothingAtRunTime.includes(folderOf(file));
const isMain = (file: string): boolean => file.endsWith('/main.ts');

const codeRules: readonly CodeRule[] = [
  {
    rule: 'environment-in-config',
    pattern: /\bprocess\.env\b/,
    appliesTo: (file) => isProduct(file) && !['platform/config.ts', 'agent/main.ts'].includes(file),
    message: 'the environment is read in platform/config.ts only',
  },
  {
    rule: 'time-by-clock',
    pattern:
      /\bDate\.now\(|\bMath\.random\(|\bperformance\.now\(|\bset(?:Timeout|Interval)\(|(?<![cC]lock\.)\brandom(?:Bytes|UUID)\(|\bnew Date\(\)/,
    appliesTo: (file) =>
      isProduct(file) && folderOf(file) !== 'workflows' && file !== 'platform/clock.ts',
    message: 'time, timers and randomness come from the injected Clock',
  },
  {
    rule: 'main-exits',
    pattern: /\bprocess\.exit\(/,
    appliesTo: (file) =>
      isProduct(file) &&
      !isMain(file) &&
      !['platform/shutdown.ts', 'platform/program.ts'].includes(file),
    message: 'only main.ts ends the process',
  },
  {
    rule: 'main-hears-signals',
    pattern: /\bprocess\.(?:on|once)\(/,
    // A command of the command line lives for one call and may be interrupted in it.
    appliesTo: (file) =>
      isProduct(file) &&
      !isMain(file) &&
      folderOf(file) !== 'cli' &&
      file !== 'platform/shutdown.ts',
    message: 'only main.ts and platform/shutdown.ts hear signals',
  },
];

/** The name of every rule; each has a fixture that breaks it. */
export const ruleNames: readonly string[] = [
  ...importRules.map(({ rule }) => rule),
  ...codeRules.map(({ rule }) => rule),
  'names-a-noun',
  'no-cycles',
];

const namelessPlace = /(^|\/)(utils?|common|helpers?|types|services?|misc)(\.ts$|\/)/;

/** Every rule that one file breaks. */
export function breachesOf(file: SourceFile): Breach[] {
  const breaches: Breach[] = [];
  for (const { rule, appliesTo, refuse } of importRules) {
    if (!appliesTo(file.name)) continue;
    for (const found of file.imports) {
      const message = refuse(found, file.name);
      if (message !== null) breaches.push({ file: file.name, line: found.line, rule, message });
    }
  }
  for (const { rule, appliesTo, pattern, message } of codeRules) {
    if (!appliesTo(file.name)) continue;
    file.code.split('\n').forEach((text, index) => {
      if (pattern.test(text)) breaches.push({ file: file.name, line: index + 1, rule, message });
    });
  }
  if (namelessPlace.test(file.name)) {
    const message = 'a file is named after the thing it holds';
    breaches.push({ file: file.name, line: 1, rule: 'names-a-noun', message });
  }
  return breaches;
}

/** Files that import each other at run time, one breach for each cycle that is found. */
export function cyclesOf(files: readonly SourceFile[]): Breach[] {
  const byName = new Map(files.map((file) => [file.name, file]));
  const state = new Map<string, 'open' | 'done'>();
  const breaches: Breach[] = [];
  const visit = (file: SourceFile, trail: readonly string[]) => {
    state.set(file.name, 'open');
    for (const { isType, path, line } of file.imports) {
      const next = isType || path === null ? undefined : byName.get(path);
      if (next === undefined) continue;
      if (state.get(next.name) === 'open') {
        const cycle = [...trail.slice(trail.indexOf(next.name)), next.name].join(' → ');
        const message = `import cycle: ${cycle}`;
        breaches.push({ file: file.name, line, rule: 'no-cycles', message });
      } else if (!state.has(next.name)) visit(next, [...trail, next.name]);
    }
    state.set(file.name, 'done');
  };
  for (const file of files) if (!state.has(file.name)) visit(file, [file.name]);
  return breaches;
}
