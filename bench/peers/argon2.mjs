/** What the argon2 library verifies, with our parameters and so many at once: what a login cannot be cheaper than. */
import { hash, verify } from '@node-rs/argon2';
import { PASSWORD } from '../machinery/usernames.mjs';

const AT_ONCE = Number(process.env.AT_ONCE);
const stored = await hash(PASSWORD, { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 });

process.on('message', (message) => {
  const { seconds } = /** @type {{ seconds?: number }} */ (message);
  if (seconds !== undefined) void run(seconds);
});

/** @param {number} seconds */
async function run(seconds) {
  const began = performance.now();
  let answers = 0;
  const one = async () => {
    while (performance.now() < began + seconds * 1000) {
      if (!(await verify(stored, PASSWORD))) throw new Error('a password is not verified');
      answers++;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  process.send?.({ answers, seconds: (performance.now() - began) / 1000, latencies: [] });
}

// The probe lets go of it; nothing else keeps this process here.
process.channel?.ref();
process.send?.({ url: '' });
