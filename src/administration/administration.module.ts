import { Module } from '@nestjs/common';
import { AccountImport } from './import/account-import.js';

/** What administrators can do about accounts. */
@Module({ providers: [AccountImport] })
export class AdministrationModule {}
