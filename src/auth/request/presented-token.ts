export const TOKEN_LOCATIONS = ['header', 'cookie', 'query', 'body'] as const;
export type TokenLocation = (typeof TOKEN_LOCATIONS)[number];

/** The token of a request, and where it was found. */
export interface PresentedToken {
  token: string;
  location: TokenLocation;
}
