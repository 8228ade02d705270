/** The test kit, for a team's tests. Needs `@nestjs/testing` and `supertest`. */
export { createTestApp, type TestAppOptions } from './create-test-app.js';
export { type ExpectedChallenge, expectChallenge, parseChallenge } from './expect-challenge.js';
export { type CeremonyOptions, SoftwareAuthenticator } from './software-authenticator.js';
export { TestApp } from './test-app.js';
export { TestAuthenticator } from './test-authenticator.js';
export { TestMail, TestMailbox, TestMails } from './test-mails.js';
export { TestPasskey } from './test-passkey.js';
export { TestClock } from './test-clock.js';
export { TestLogin, TestUser } from './test-user.js';
export { type TokenAgent, TokenAgents } from './token-agents.js';
