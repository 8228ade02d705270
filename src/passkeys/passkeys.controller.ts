import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  ParseUUIDPipe,
  Patch,
  Post,
  UseInterceptors,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import {
  ApiCreatedResponse,
  ApiHeader,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import {
  ApiErrors,
  type Caller,
  createValidationPipe,
  CurrentUser,
  DeliversTokens,
  FreshAccess,
  type IssuedPair,
  type Principal,
  Public,
  Refresh,
  RequestCaller,
} from '../auth/index.js';
import {
  DEVICE_HEADER,
  PresentedDevices,
  RefusalHeadersInterceptor,
  TokenPairDto,
} from '../auth/internals.js';
import { PasskeyLoginService } from './passkey-login.service.js';
import {
  CreationOptionsDto,
  PasskeyDto,
  PasskeyLoginDto,
  RegisterPasskeyDto,
  RelatedOriginsDto,
  RenamePasskeyDto,
  RequestOptionsDto,
} from './passkeys.dto.js';
import { PasskeysService } from './passkeys.service.js';
import { RelyingParty } from './relying-party.js';

const VALID = createValidationPipe();
/** Answers 404 for an id that is not a UUID. */
const ID = new ParseUUIDPipe({ errorHttpStatusCode: 404 });

@ApiTags('passkeys')
@UseInterceptors(RefusalHeadersInterceptor)
@Controller('auth')
export class PasskeysController {
  constructor(
    private readonly logins: PasskeyLoginService,
    private readonly passkeys: PasskeysService,
  ) {}

  @Public()
  @Post('login/passkey/options')
  @HttpCode(200)
  @ApiOperation({ summary: 'Get the options of a login by passkey. They do not depend on a user.' })
  @ApiOkResponse({ type: RequestOptionsDto })
  async passkeyLoginOptions(): Promise<RequestOptionsDto> {
    return this.logins.options();
  }

  @Public()
  @Post('login/passkey')
  @HttpCode(200)
  @DeliversTokens()
  @ApiOperation({ summary: 'Log in by passkey: start a session and issue a fresh access token.' })
  @ApiHeader({ name: DEVICE_HEADER, required: false, description: 'As with the login.' })
  @ApiOkResponse({
    type: TokenPairDto,
    headers: {
      [DEVICE_HEADER]: {
        description: 'Send it with the next login on this device.',
        schema: { type: 'string' },
      },
    },
  })
  @ApiErrors({ 401: 'invalid_credentials', 429: 'rate_limited', 503: 'database_unavailable' })
  async loginWithPasskey(
    @Body(VALID) body: PasskeyLoginDto,
    @PresentedDevices() devices: string[],
    @RequestCaller() caller: Caller,
  ): Promise<IssuedPair> {
    return this.logins.login(body, devices, caller);
  }

  @Refresh()
  @Post('reauthenticate/options')
  @HttpCode(200)
  @ApiOperation({ summary: 'Get the options to reauthenticate with a passkey in this session.' })
  @ApiOkResponse({ type: RequestOptionsDto })
  @ApiErrors({ 404: 'not_found' })
  async reauthenticationOptions(@CurrentUser() user: Principal): Promise<RequestOptionsDto> {
    return this.logins.stepUpOptions(user);
  }

  @FreshAccess()
  @Post('passkeys/options')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Get the options to add a passkey. Requires the strongest level that the user can prove.',
  })
  @ApiOkResponse({ type: CreationOptionsDto })
  async passkeyOptions(@CurrentUser() user: Principal): Promise<CreationOptionsDto> {
    return this.passkeys.registrationOptions(user);
  }

  @FreshAccess()
  @Post('passkeys')
  @ApiOperation({ summary: 'Add a passkey. Requires the strongest level that the user can prove.' })
  @ApiCreatedResponse({ type: PasskeyDto })
  @ApiErrors({ 409: 'changed_meanwhile', 429: 'rate_limited' })
  async addPasskey(
    @CurrentUser() user: Principal,
    @Body(VALID) body: RegisterPasskeyDto,
    @RequestCaller() caller: Caller,
  ): Promise<PasskeyDto> {
    return this.passkeys.register(user, body, caller);
  }

  @FreshAccess()
  @Patch('passkeys/:id')
  @ApiOperation({ summary: 'Rename a passkey. Requires the strongest level that the user can prove.' })
  @ApiOkResponse({ type: PasskeyDto })
  @ApiErrors({ 404: 'not_found' })
  async renamePasskey(
    @CurrentUser() user: Principal,
    @Param('id', ID) id: string,
    @Body(VALID) { name }: RenamePasskeyDto,
    @RequestCaller() caller: Caller,
  ): Promise<PasskeyDto> {
    return this.passkeys.rename(user, id, name, caller);
  }

  @FreshAccess({ once: true })
  @Delete('passkeys/:id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Remove a passkey. Requires the strongest level that the user can prove.' })
  @ApiNoContentResponse()
  @ApiErrors({ 404: 'not_found', 409: ['changed_meanwhile', 'last_way_in'] })
  async removePasskey(
    @CurrentUser() user: Principal,
    @Param('id', ID) id: string,
    @RequestCaller() caller: Caller,
  ): Promise<void> {
    await this.passkeys.remove(user, id, caller);
  }
}

@ApiTags('passkeys')
// RFC 8615: well-known paths stand at the root of the host.
@Controller({ path: '.well-known', version: VERSION_NEUTRAL })
export class RelatedOriginsController {
  constructor(private readonly party: RelyingParty) {}

  @Public()
  @Get('webauthn')
  @ApiOperation({ summary: 'List the origins of other sites that may use the passkeys (WebAuthn §5.11).' })
  @ApiOkResponse({ type: RelatedOriginsDto })
  relatedOrigins(): RelatedOriginsDto {
    return { origins: this.party.relatedOrigins };
  }
}
