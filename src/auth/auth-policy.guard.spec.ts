import { describe, expect, it } from '@jest/globals';
import { DiscoveryService, ModulesContainer } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { AuthPolicyGuard } from './auth-policy.guard.js';
import { RoutePolicies } from './guard/route-policies.js';
import { Public } from './guard/public.decorator.js';
import { Transports } from './transports/transports.js';

@Public()
class OpenGateway {
  onMessage(): void {}
}

class PlainGateway {
  onMessage(): void {}
}

/** The context that Nest passes to a global guard for a WebSocket message. */
function messageTo(gateway: typeof OpenGateway | typeof PlainGateway): ExecutionContextHost {
  const context = new ExecutionContextHost([{}, {}], gateway, gateway.prototype.onMessage);
  context.setType('ws');
  return context;
}

describe('the global guard, outside HTTP requests', () => {
  const nothing = {} as never;
  const discovery = new DiscoveryService(new ModulesContainer());
  const guard = new AuthPolicyGuard(
    new RoutePolicies(discovery),
    nothing,
    nothing,
    nothing,
    nothing,
    nothing,
    nothing,
    nothing,
    nothing,
    nothing,
    { locations: {} } as never,
    new Transports(discovery),
  );

  it('lets a gateway with @Public() through', async () => {
    expect(await guard.canActivate(messageTo(OpenGateway))).toBe(true);
  });

  it('refuses a gateway without a declaration, and says what to do', async () => {
    await expect(guard.canActivate(messageTo(PlainGateway))).rejects.toThrow(
      /PlainGateway.onMessage .*@Public\(\).*Authenticator/,
    );
  });
});
