import { Module } from '@nestjs/common';
import { DatabaseModule } from '../database/index.js';
import { AuditController } from './audit/audit.controller.js';
import { AuditTrail, auditTrailMigrations } from './audit/audit-trail.js';
import { AccountImport } from './import/account-import.js';
import { ManagedUsers } from './users/managed-users.js';
import { PasswordMails } from './users/password-mails.js';
import { UsersController } from './users/users.controller.js';

/** What administrators can do about accounts. */
@Module({
  imports: [DatabaseModule.forFeature(auditTrailMigrations)],
  controllers: [UsersController, AuditController],
  providers: [ManagedUsers, PasswordMails, AuditTrail, AccountImport],
})
export class AdministrationModule {}
