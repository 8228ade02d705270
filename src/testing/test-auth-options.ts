import { type AuthModuleExtras, type AuthModuleOptions } from '../auth/index.js';

/** All tests come from one address and use wrong passwords on purpose. */
const ENDLESS = '1000000 per 1h';
const NO_LIMITS = {
  account: ENDLESS,
  accountAndAddress: ENDLESS,
  address: ENDLESS,
  device: ENDLESS,
  register: ENDLESS,
  refresh: ENDLESS,
};

/** Options for tests: without limits, unless `over` sets some. Groups are merged; other options are replaced. */
export function testAuthOptions(
  base: AuthModuleOptions,
  over: Partial<AuthModuleOptions> & AuthModuleExtras = {},
): AuthModuleOptions & AuthModuleExtras {
  const merged = { ...base, limits: NO_LIMITS };
  const members = merged as Record<string, unknown>;
  for (const [name, value] of Object.entries(over)) {
    const known = members[name];
    members[name] = isGroup(known) && isGroup(value) && name !== 'keys' ? { ...known, ...value } : value;
  }
  return merged;
}

function isGroup(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
