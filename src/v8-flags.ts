import { setFlagsFromString } from 'node:v8';

/*
 * V8 moves what an expression makes to the old generation at once, once it has seen most of it survive. At a server that
 * gets to know its tokens that is so for the first of each, which are kept; everything that the same code makes for later
 * requests dies at once, and fills the old generation, whose collections then take a third of the time. Set before any
 * code is compiled. A V8 that no longer knows it says so on stderr, and goes on.
 */
setFlagsFromString('--no-allocation-site-pretenuring');
