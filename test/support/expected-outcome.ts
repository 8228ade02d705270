import { type RoutePolicy } from '../../src/auth/internals.js';
import { type ShownToken } from './token-kinds.js';

export type Outcome =
  | 'enters'
  | 'token_missing'
  | 'token_invalid'
  | 'token_expired'
  | 'token_wrong_type'
  | 'token_revoked'
  | 'fresh_token_required'
  | 'insufficient_role';

/** What contract §4 and §5 require of a token at a handler, written independently of the guards. */
export function expectedOutcome(declared: RoutePolicy, shown: ShownToken): Outcome {
  const outcome = ofAnybody(declared, shown);
  // No user here has a role.
  return outcome === 'enters' && declared.roles.length > 0 ? 'insufficient_role' : outcome;
}

function ofAnybody({ policy }: RoutePolicy, shown: ShownToken): Outcome {
  const { level } = policy;
  if (level === 'public') return 'enters';
  const wantsRefresh = level === 'refresh';
  const either = level === 'access-or-refresh';
  const allowRevoked = either && policy.allowRevoked;
  // No user here has a second factor.
  const wantsMore = 'acr' in policy && policy.acr !== undefined;
  switch (shown) {
    case 'none':
      return level === 'optional-access' ? 'enters' : 'token_missing';
    case 'garbage':
    case 'wrong issuer':
    case 'wrong audience':
    case 'wrong key':
    case 'wrong typ':
      return 'token_invalid';
    case 'expired access':
    case 'expired refresh':
      return allowRevoked ? 'enters' : 'token_expired';
    case 'refresh':
      return wantsRefresh || either ? 'enters' : 'token_wrong_type';
    case 'fresh access':
      if (wantsRefresh) return 'token_wrong_type';
      return wantsMore ? 'fresh_token_required' : 'enters';
    case 'stale access':
      if (wantsRefresh) return 'token_wrong_type';
      return level === 'fresh-access' || wantsMore ? 'fresh_token_required' : 'enters';
    case 'revoked access':
      if (wantsRefresh) return 'token_wrong_type';
      if (wantsMore) return 'fresh_token_required';
      return allowRevoked || ('skipRevocationCheck' in policy && policy.skipRevocationCheck)
        ? 'enters'
        : 'token_revoked';
    case 'revoked refresh':
      if (!wantsRefresh && !either) return 'token_wrong_type';
      return allowRevoked ? 'enters' : 'token_revoked';
  }
}
