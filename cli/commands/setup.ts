import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { FixpointError } from '../../domain/errors.ts';
import { findStateDir } from '../connection.ts';
import { type CliDeps, examples } from '../session.ts';
import {
  type Rotated,
  type RotationPhase,
  rotateSigning,
  rotationPhases,
  type SigningFiles,
} from '../signing-rotation.ts';

/** `fixpoint setup …`: what an operator does to the files of an installation; no server is asked. */
export function setupCommand(deps: CliDeps): Command {
  const setup = new Command('setup').description('keys and trust of an installation');
  const rotate = setup.command('rotate').description('replace a key in phases, without a gap');
  rotate
    .command('signing')
    .description('replace the key that signs jobs: publish the new one, use it, drop the old one')
    .addOption(
      new Option('--phase <phase>', 'what to do next')
        .choices(rotationPhases)
        .makeOptionMandatory(),
    )
    .option(
      '--key-file <file>',
      'the signing key (FIXPOINT_SIGNING_KEY_FILE; else secrets/signing-key in the state directory)',
    )
    .option(
      '--certificates <folder>',
      'where trust.json lies (FIXPOINT_CERTIFICATES_DIR; else secrets/ca in the state directory)',
    )
    .addHelpText(
      'after',
      examples(
        'fixpoint setup rotate signing --phase publish',
        'fixpoint setup rotate signing --phase use',
        'fixpoint setup rotate signing --phase drop',
      ),
    )
    .action(async (options: { phase: RotationPhase; keyFile?: string; certificates?: string }) => {
      const rotated = await rotateSigning(filesOf(deps, options), options.phase);
      deps.terminal.out(`${describe(options.phase, rotated)}\n`);
    });
  rotate.addCommand(authorityCommand(deps));
  setup.addCommand(certificatesCommand(deps));
  return setup;
}

/** The files of an installation; options, because both commands ask for them. */
const withFiles = (command: Command): Command =>
  command
    .option(
      '--key-file <file>',
      'the signing key (FIXPOINT_SIGNING_KEY_FILE; else secrets/signing-key in the state directory)',
    )
    .option(
      '--certificates <folder>',
      'the folder of certificates (FIXPOINT_CERTIFICATES_DIR; else secrets/ca in the state directory)',
    );

type FileOptions = { readonly keyFile?: string; readonly certificates?: string };

function authorityCommand(deps: CliDeps): Command {
  return withFiles(new Command('ca'))
    .description(
      'replace the authority of certificates: publish a new one, use it, drop the old one',
    )
    .addOption(
      new Option('--phase <phase>', 'what to do next')
        .choices(rotationPhases)
        .makeOptionMandatory(),
    )
    .addHelpText(
      'after',
      examples(
        'fixpoint setup rotate ca --phase publish',
        'fixpoint setup rotate ca --phase use',
        'fixpoint setup rotate ca --phase drop',
      ),
    )
    .action(async (options: FileOptions & { readonly phase: RotationPhase }) => {
      // What makes certificates is large, and no other command needs it.
      const { rotateAuthority } = await import('../authority-rotation.ts');
      const { phase } = options;
      const serial = await rotateAuthority(filesOf(deps, options), { phase, clock: deps.clock });
      deps.terminal.out(`trust bundle ${serial}\n${nextAuthoritySteps[phase]}\n`);
    });
}

function certificatesCommand(deps: CliDeps): Command {
  return withFiles(new Command('certificates'))
    .description('make authority, gateway certificate, signing key and trust bundle, where missing')
    .addHelpText(
      'after',
      examples(
        'fixpoint setup certificates --certificates /etc/fixpoint/ca --key-file /etc/fixpoint/signing-key',
      ),
    )
    .action(async (options: FileOptions) => {
      const { makeCertificates } = await import('../certificate-files.ts');
      const files = filesOf(deps, options);
      const made = await makeCertificates(files, deps.clock);
      for (const file of made) deps.terminal.out(`made ${file}\n`);
      if (made.length === 0) deps.terminal.out(`nothing is missing in ${files.certificates}\n`);
    });
}

const nextAuthoritySteps: Record<RotationPhase, string> = {
  publish:
    'Copy the folder to every gateway; agents trust both within seconds, or when they connect again.\n' +
    'Then: fixpoint setup rotate ca --phase use',
  use:
    'Copy the folder to every gateway. Agents get certificates of the new authority as they renew,\n' +
    'within half of a certificate’s life (12 h by default). Then: fixpoint setup rotate ca --phase drop',
  drop: 'Copy the folder to every gateway. The old authority is trusted no more.',
};

function filesOf(
  deps: CliDeps,
  options: { readonly keyFile?: string; readonly certificates?: string },
): SigningFiles {
  const { environment, cwd } = deps;
  const place = (given: string | undefined, below: string): string => {
    if (given !== undefined && given !== '') return resolve(cwd, given);
    const stateDir = findStateDir(deps);
    if (stateDir !== null) return join(stateDir, 'secrets', below);
    throw new FixpointError('not_found', 'there is no state directory here or in a folder above', {
      hint: 'name the files with --key-file and --certificates',
    });
  };
  return {
    keyFile: place(options.keyFile ?? environment['FIXPOINT_SIGNING_KEY_FILE'], 'signing-key'),
    certificates: place(options.certificates ?? environment['FIXPOINT_CERTIFICATES_DIR'], 'ca'),
  };
}

const nextSteps: Record<RotationPhase, string> = {
  publish:
    'Copy trust.json to every gateway; agents have it within seconds, or when they connect again.\n' +
    'Then: fixpoint setup rotate signing --phase use',
  use:
    'Restart the activity workers, which sign with the first key of the file.\n' +
    'When no job signed with the old key queues any more (notAfter, 1 min by default), then:\n' +
    'fixpoint setup rotate signing --phase drop',
  drop: 'Copy trust.json to every gateway, and restart the activity workers when it suits.',
};

function describe(phase: RotationPhase, { bundle, keyIds }: Rotated): string {
  const trusted = bundle.signingKeys.map(({ keyId }) => keyId).join(' and ');
  return `trust bundle ${bundle.serial} trusts ${trusted}; ${keyIds[0]} signs\n${nextSteps[phase]}`;
}
