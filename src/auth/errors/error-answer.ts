/** The members that every error answer has by default. */
export interface ErrorAnswer {
  statusCode: number;
  error: string;
  message: string;
  errorCode: string;
  [more: string]: unknown;
}
