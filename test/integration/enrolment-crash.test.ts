import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { verifyAudit } from '../../platform/audit.ts';
import { enrolmentCrashPoints } from '../../platform/crash-point.ts';
import { Trust } from '../../platform/trust-bundle.ts';
import { EnrolmentSite, generationOf, isDead, patient } from '../support/enrolment-site.ts';
import { eventually } from '../support/eventually.ts';
import { GatewayHost } from '../support/gateway-host.ts';
import { aTrust } from '../support/signing.ts';
import { SupervisedAgent } from '../support/supervised-agent.ts';

type GatewayPoint = keyof typeof enrolmentCrashPoints.gateway;
type AgentPoint = keyof typeof enrolmentCrashPoints.agent;
type Death =
  | { readonly program: 'gateway'; readonly point: GatewayPoint }
  | { readonly program: 'agent'; readonly point: AgentPoint };
type Due = {
  /** What becomes of the host without anybody's help. */
  readonly end: 'online' | 'used up';
  /** Agents that the register has of the token by then. */
  readonly registered: 0 | 1;
};
type Story = (site: EnrolmentSite, death: Death) => Promise<void>;

const nameOf = ({ program, point }: Death): string => `${program}-${point}`;

/** A host whose agent or gateway is to die. */
async function aHost(site: EnrolmentSite, death: Death): Promise<SupervisedAgent> {
  const agent = await site.enrols(
    nameOf(death),
    ...(death.program === 'agent' ? [death.point] : []),
  );
  if (death.program === 'gateway') site.gateway.process.arm(death.point);
  return agent;
}
const died = (site: EnrolmentSite, agent: SupervisedAgent, { program, point }: Death) =>
  isDead(program === 'agent' ? agent : site.gateway, point);

/** A host is enrolled meanwhile. */
const enrolled =
  (due: Due): Story =>
  async (site, death) => {
    const name = nameOf(death);
    const agent = await aHost(site, death);
    try {
      await died(site, agent, death);
      if (due.end === 'online') await site.isOnline(name);
      else {
        assert.equal(await agent.process.ended, 2, agent.process.said);
        assert.match(agent.process.said, /this token was used up\n +hint: .*--replace/);
        assert.equal(agent.read('identity.key'), null, 'it is no agent by half');
      }
      assert.equal(site.idsOf(name).length, due.registered);
      if (due.end === 'used up') await replaced(site, agent, name);
      assert.equal(agent.agentId, site.idsOf(name).at(-1));
      assert.equal(agent.agentId, (await site.gateway.agent(name)).id);
    } finally {
      await agent.remove();
    }
  };

/** What the hint says: the same host, as it is, with another token. */
async function replaced(site: EnrolmentSite, before: SupervisedAgent, name: string): Promise<void> {
  const { text } = await site.gateway.token({ name, replace: true });
  const agent = before.again(text);
  try {
    await site.isOnline(name);
  } finally {
    await agent.process.stop();
  }
}

/** A certificate is renewed meanwhile. */
const renewed: Story = async (site, death) => {
  const name = nameOf(death);
  const agent = await aHost(site, death);
  try {
    await site.isOnline(name);
    const id = agent.agentId;
    await died(site, agent, death);
    await eventually(() => assert.ok(generationOf(agent) >= 1), patient);
    await eventually(() => assert.equal(agent.read('renewal.key'), null), patient);
    // Neither side is left with a generation that the other does not know.
    await eventually(() => assert.equal(generationOf(agent), site.generationOf(id)), patient);
    await site.isOnline(name);
    assert.deepEqual([agent.agentId, site.idsOf(name)], [id, [id]]);
  } finally {
    await agent.remove();
  }
};

let serial = 1;
/** A newer trust bundle comes meanwhile. */
const trusted: Story = async (site, death) => {
  const name = nameOf(death);
  const agent = await aHost(site, death);
  try {
    await site.isOnline(name);
    serial += 1;
    const mine = serial;
    const authorities = [site.host.authority.certificate];
    await site.host.trust(await aTrust({ serial: mine, authorities }));
    await died(site, agent, death);
    await site.isOnline(name);
    await eventually(() => {
      const { bundle } = Trust.read(agent.read('trust.json') ?? '');
      assert.ok(bundle.serial >= mine, `serial ${bundle.serial}`);
    }, patient);
  } finally {
    await agent.remove();
  }
};

/** A host is refused meanwhile, because another one has the name by then. */
const refused =
  (said: RegExp): Story =>
  async (site, death) => {
    const name = nameOf(death);
    const late = await site.gateway.token({ name });
    const first = await site.enrols(name);
    let agent: SupervisedAgent | undefined;
    try {
      await site.isOnline(name);
      site.gateway.process.arm(death.point);
      agent = SupervisedAgent.start(late.text);
      await died(site, agent, death);
      assert.equal(await agent.process.ended, 2, agent.process.said);
      assert.match(agent.process.said, said);
      assert.equal(site.idsOf(name).length, 1);
      await site.isOnline(name);
    } finally {
      await agent?.remove();
      await first.remove();
    }
  };

/** An operator makes a token meanwhile, is not answered, and makes another one. */
const tokenMade: Story = async (site, death) => {
  const name = nameOf(death);
  site.gateway.process.arm(death.point);
  await assert.rejects(site.gateway.token({ name }), TypeError);
  const agent = await site.enrols(name);
  try {
    await site.isOnline(name);
    assert.ok(site.gateway.process.hasDied(death.point));
    assert.deepEqual(site.idsOf(name), [agent.agentId]);
  } finally {
    await agent.remove();
  }
};

const online = enrolled({ end: 'online', registered: 1 });
const lost = enrolled({ end: 'used up', registered: 1 });
const ofGateway: Readonly<Record<GatewayPoint, Story>> = {
  'after-token': tokenMade,
  'before-use': online,
  'after-use': enrolled({ end: 'used up', registered: 0 }),
  'after-register': lost,
  'after-enrolled': lost,
  'before-return': refused(/this token was used up/),
  'after-return': refused(/an agent named .* is enrolled already/),
  'before-renewal': renewed,
  'after-renewal': renewed,
};
const ofAgent: Readonly<Record<AgentPoint, Story>> = {
  'after-answer': lost,
  'after-certificate': lost,
  'after-first-trust': lost,
  'after-key': online,
  'after-renewal-key': renewed,
  'before-renewed': renewed,
  'between-renewed': renewed,
  'after-renewed': renewed,
  'before-trust': trusted,
  'after-trust': trusted,
};
// Only names of the table are listed.
const points = <Point extends string>(table: Readonly<Record<Point, string>>) =>
  Object.entries(table) as [Point, string][];

describe('whatever dies at an enrolment, no use of a token makes two agents', {
  concurrency: 3,
}, () => {
  let host: GatewayHost;
  before(async () => {
    host = await GatewayHost.start({ agents: 0 });
    await host.stopGateway();
  });
  after(async () => {
    assert.equal((await verifyAudit(join(host.directory, 'audit'))).kind, 'whole');
    await host.stop();
  });

  /** Side by side: most of the time is the wait for processes and for half of a certificate's life. */
  const group = (
    name: string,
    deaths: readonly { readonly death: Death; readonly boundary: string; readonly story: Story }[],
    concurrency = 1,
  ) =>
    describe(name, { concurrency }, () => {
      let site: EnrolmentSite;
      before(async () => {
        site = await EnrolmentSite.start(host, name.replaceAll(' ', '-'));
      });
      after(() => site?.stop());

      for (const { death, boundary, story } of deaths) {
        it(`${death.point}: ${boundary}`, () => story(site, death));
      }
    });

  const gateways = points(enrolmentCrashPoints.gateway).map(([point, boundary]) => {
    const death: Death = { program: 'gateway', point };
    return { death, boundary, story: ofGateway[point] };
  });
  group(
    'a gateway that enrols',
    gateways.filter(({ story }) => story !== renewed),
  );
  group(
    'a gateway that renews',
    gateways.filter(({ story }) => story === renewed),
  );
  group(
    'an agent',
    points(enrolmentCrashPoints.agent).map(([point, boundary]) => {
      const death: Death = { program: 'agent', point };
      return { death, boundary, story: ofAgent[point] };
    }),
    4,
  );
});
