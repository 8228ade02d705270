import { describe, expect, it } from '@jest/globals';
import { rename, singularOf } from '../../tools/new-feature/names.mjs';

describe('the names of a new feature', () => {
  it.each([
    ['invoices', 'invoice'],
    ['categories', 'category'],
    ['boxes', 'box'],
    ['classes', 'class'],
    ['branches', 'branch'],
    ['houses', 'house'],
    ['analyses', 'analysis'],
    ['people', 'person'],
    ['days', 'day'],
    ['movies', 'movie'],
    ['credit-notes', 'credit-note'],
    ['staff', 'staff'],
    ['status', 'status'],
    ['access', 'access'],
  ])('one of %s is %s', (many, one) => {
    expect(singularOf(many)).toBe(one);
  });

  it('are written in each place as it is done there', () => {
    const text =
      'sample-things sample_things sampleThings SampleThings sample things; SampleThing, sample thing';
    expect(rename(text, { many: 'credit-notes', one: 'credit-note' })).toBe(
      'credit-notes credit_notes creditNotes CreditNotes credit notes; CreditNote, credit note',
    );
  });
});
