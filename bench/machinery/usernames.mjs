export const PASSWORD = 'space-corgi';

/** @param {number | string} n */
export const username = (n) => `user-${n}`;
