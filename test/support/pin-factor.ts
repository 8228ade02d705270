import { Controller, Get, Injectable, Module, type OnModuleInit } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional } from 'class-validator';
import {
  Access,
  type Acr,
  ApiError,
  CurrentUser,
  FreshAccess,
  type Principal,
} from '../../src/auth/index.js';
import { type Factor, FactorRegistry, type ProvedFactor } from '../../src/auth/internals.js';
import { type User } from '../../src/auth/index.js';

/** `{ pin: '1' }` proves `mfa`, `'2'` proves `phr`: a second factor without secrets, for tests of levels. */
class PinDto {
  @ApiPropertyOptional()
  @IsOptional()
  @IsIn(['0', '1', '2'])
  readonly pin?: string;
}

export const PIN_OF: Partial<Record<Acr, string>> = { mfa: '1', phr: '2' };
const LEVELS: Record<string, Acr> = { 1: 'mfa', 2: 'phr' };

@Injectable()
export class PinFactor implements Factor, OnModuleInit {
  readonly body = PinDto;
  readonly verified: { userId: string; username: string }[] = [];
  used = 0;
  breaks = false;

  constructor(private readonly registry: FactorRegistry) {}

  onModuleInit(): void {
    this.registry.add(this);
  }

  async verify(user: User, { pin }: PinDto): Promise<ProvedFactor | undefined> {
    if (pin === undefined) return undefined;
    this.verified.push({ userId: user.id, username: user.username });
    const acr = LEVELS[pin];
    if (!acr) throw new ApiError(401, 'invalid_credentials', 'Wrong PIN');
    return {
      acr,
      amr: ['pin'],
      use: async () => {
        if (this.breaks) throw new ApiError(401, 'invalid_credentials', 'Used meanwhile');
        this.used++;
      },
    };
  }

  async removeAll(): Promise<boolean> {
    return false;
  }

  async levelOf(): Promise<Acr> {
    return 'mfa';
  }
}

@Controller('levels')
class LevelsController {
  @Access({ acr: 'pwd' })
  @Get('access-pwd')
  accessPwd(@CurrentUser() user: Principal): Principal {
    return user;
  }

  @Access({ acr: 'mfa' })
  @Get('access-mfa')
  accessMfa(@CurrentUser() user: Principal): Principal {
    return user;
  }

  @Access({ acr: 'phr' })
  @Get('access-phr')
  accessPhr(@CurrentUser() user: Principal): Principal {
    return user;
  }

  @FreshAccess({ acr: 'pwd' })
  @Get('fresh-pwd')
  freshPwd(@CurrentUser() user: Principal): Principal {
    return user;
  }

  @FreshAccess({ acr: 'mfa', maxAge: '5m' })
  @Get('fresh-mfa')
  freshMfa(@CurrentUser() user: Principal): Principal {
    return user;
  }

  @FreshAccess({ acr: 'phr', maxAge: '5m', once: true })
  @Get('fresh-phr')
  freshPhr(@CurrentUser() user: Principal): Principal {
    return user;
  }
}

@Module({ controllers: [LevelsController], providers: [PinFactor] })
export class PinFactorModule {}
