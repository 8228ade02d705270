/** The answer of every peer: small, so that the way to it is measured. */
export const ANSWER = { id: '0198f000-0000-7000-8000-000000000000', name: 'cosmo', items: [1, 2, 3] };
export const ANSWER_TEXT = JSON.stringify(ANSWER);
