/** `/assets/uqr.js`: the package, as it is. */
export * from 'uqr';
