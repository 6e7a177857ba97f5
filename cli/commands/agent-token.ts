import { Command } from 'commander';
import type { LabelPair } from '../../contracts/alert.ts';
import { type AgentToken, agentTokenAnswer, encodeAgentToken } from '../../contracts/enrolment.ts';
import { keyIdsOf, type OwnTrust, ownTrust, tokenMade, trustingOwn } from '../own-trust.ts';
import { plainJson } from '../plain-text.ts';
import {
  byOption,
  type CliDeps,
  countOf,
  durationOf,
  examples,
  labelOf,
  outputOption,
  serversOf,
} from '../session.ts';

/** `fixpoint agent token create`: the token goes to standard output alone, so that it can be piped. */
export function agentTokenCommand(deps: CliDeps): Command {
  const token = new Command('token').description('tokens that make hosts agents');
  token
    .command('create')
    .description('make a token; it is shown once and kept nowhere')
    .option('--ttl <duration>', 'how long it may be used: 90s, 15m, 2h', durationOf, 900_000)
    .option('--uses <count>', 'how many hosts it enrols, 1 to 1000', countOf, 1)
    .option('--name <name>', 'the host’s name; with several uses what the names begin with')
    .option('--label <name=value>', 'a label of the host; may be given again', labelOf)
    .option('--replace', 'the agent that has this name now is enrolled no more', false)
    .option(
      '--trust <file>',
      'your copy of trust.json: whose jobs the host runs (else that of FIXPOINT_CERTIFICATES_DIR or of what runs here, else as the gateway says)',
    )
    .addOption(byOption())
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples(
        'fixpoint agent token create --name web1 --label zone=a --label service=web > token',
        'fixpoint agent token create --uses 40 --name web --label zone=a',
        'fixpoint agent token create --name web1 --replace',
      ),
    )
    .action(async (options, command: Command) => {
      const labels: readonly LabelPair[] = options.label ?? [];
      const { connection, gateway } = serversOf(deps, command);
      // Read before anything is made, so that a flaw in it leaves no token behind.
      const own = ownTrust(deps, { named: options.trust, gatewayUrl: connection.gateway.url });
      const answer = await gateway.send(
        {
          method: 'POST',
          path: '/v1/agent-tokens',
          body: {
            ttlMs: options.ttl,
            uses: options.uses,
            labels: Object.fromEntries(labels),
            replace: options.replace,
            ...(options.name === undefined ? {} : { name: options.name }),
            ...(options.by === undefined ? {} : { operator_name: options.by }),
          },
        },
        agentTokenAnswer,
      );
      const made = tokenMade(answer.token);
      const token = own === null ? made : trustingOwn(made, own);
      const created = { ...answer, token: encodeAgentToken(token) };
      if (options.output === 'json') return deps.terminal.out(`${plainJson(created)}\n`);
      deps.terminal.out(`${created.token}\n`);
      deps.terminal.err(`${termsOf(created)}\n${trustOf(token, own)}\n`);
    });
  return token;
}

function termsOf({ uses, expiresAt }: { readonly uses: number; readonly expiresAt: number }) {
  const whom = uses === 1 ? 'one host' : `${uses} hosts`;
  const until = new Date(expiresAt).toISOString();
  return `for ${whom}, until ${until}; on the host: node agent/main.ts enrol --token-file <file>`;
}

/** The keys, and by whose word: an operator who has no copy of them can compare. */
function trustOf(token: AgentToken, own: OwnTrust | null): string {
  const by =
    own === null
      ? 'so says the gateway; with --trust <your copy of trust.json> you say it'
      : `as in ${own.file}`;
  return `it will run what is signed by ${keyIdsOf(token).join(' or ')}: ${by}`;
}
