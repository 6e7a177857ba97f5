import { after, before, describe, it } from 'node:test';
import { tellOfHealedService, told } from '../support/api-answers.ts';
import { assertApiContract } from '../support/api-contract.ts';
import { FakeApi } from '../support/fake-api.ts';

// test/integration/product-loop.test.ts asserts the same of the real api and gateway.
describe('the fake in place of api and gateway', () => {
  let fake: FakeApi;
  before(async () => {
    fake = tellOfHealedService(await FakeApi.start());
  });
  after(() => fake.stop());

  it('answers as the real servers do', async () => {
    await assertApiContract({
      api: fake.url,
      gateway: fake.url,
      token: 'any',
      remediationId: told.detail.id,
      taskId: told.task.taskId,
    });
  });
});
