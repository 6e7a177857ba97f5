import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HoldLedger } from '../../../domain/hold-ledger.ts';

/** Four hosts, two in each zone; one of each zone may be held at once. */
const domains = {
  names: ['zone=a', 'zone=b'],
  sizes: [2, 2],
  caps: [1, null],
  places: [[0], [1]],
  of: [0, 1, 0, 1],
};
const agentIds = ['h0', 'h1', 'h2', 'h3'];
const aLedger = () => new HoldLedger({ domains, agentIds });
const answer = (letters: string, over: Partial<{ services: string[]; of: number[] }> = {}) => ({
  letters,
  refusals: [],
  services: [],
  of: [],
  ...over,
});

describe('hold ledger', () => {
  it('asks with the places of those hosts alone, and holds what was granted', () => {
    const ledger = aLedger();

    assert.deepEqual(ledger.question([1, 3]), {
      release: [],
      hosts: ['h1', 'h3'],
      places: [['zone=b']],
      of: [0, 0],
    });
    assert.deepEqual(ledger.answered([1, 3], answer('gb'), []), { granted: [1], refused: [3] });
    assert.deepEqual(
      [0, 1, 2, 3].map((at) => ledger.isHeld(at)),
      [false, true, false, false],
    );
  });

  it('what is free goes along with the next question, and is told again until that was answered', () => {
    const ledger = aLedger();
    ledger.answered([0, 1], answer('gg'), []);

    ledger.free([0, 2]);

    assert.equal(ledger.isHeld(0), false);
    assert.deepEqual(
      ledger.view().hosts.map(([agentId]) => agentId),
      ['h1'],
    );
    assert.deepEqual(ledger.question([2]).release, ['h0']);
    assert.deepEqual(ledger.question([2]).release, ['h0'], 'the first answer was lost');
    ledger.answered([2], answer('g'), ['h0']);
    assert.deepEqual(ledger.question([3]).release, []);
  });

  it('knows when hosts and what is held are together more than a cap, a host counted once', () => {
    const ledger = aLedger();
    ledger.answered([0], answer('g'), []);

    assert.equal(ledger.exceeds([1, 3]), false, 'zone b has no cap');
    assert.equal(ledger.exceeds([0]), false);
    assert.equal(ledger.exceeds([2]), true);
    ledger.free([0]);
    assert.equal(ledger.exceeds([2]), false);
  });

  it('its view has every held host with its domains, and its service if that counted it as healthy', () => {
    const ledger = aLedger();
    ledger.answered([0, 1, 2], answer('ggc', { services: ['web', 'db'], of: [1, -1, 0] }), []);

    assert.deepEqual(ledger.view(), {
      places: [['zone=a'], ['zone=b']],
      services: ['db'],
      hosts: [
        ['h0', 0, 0],
        ['h1', 1, -1],
      ],
    });
  });

  it('what is carried into the next run is all it needs', () => {
    const ledger = aLedger();
    ledger.answered([0, 1], answer('gg', { services: ['web'], of: [0, 0] }), []);
    ledger.free([1]);
    const carried = JSON.parse(JSON.stringify(ledger.carried())) as ReturnType<
      HoldLedger['carried']
    >;

    const next = new HoldLedger({ domains, agentIds, carried });

    assert.deepEqual(next.view(), ledger.view());
    assert.deepEqual(next.question([2]), ledger.question([2]));
  });
});
