import ipaddr from 'ipaddr.js';

/** Bits of an IPv6 address that name a site; one household or host picks the rest as it likes (RFC 6177, RFC 8981). */
const IPV6_SITE = 64;

/** The byte at which IPv6 carries an IPv4 address: of translators (RFC 6052, RFC 7915) and of 6to4 (RFC 3056). */
const IPV4_AT: Partial<Record<string, number>> = { rfc6052: 12, rfc6145: 12, '6to4': 2 };

/**
 * An address in its one canonical form: IPv4 in dotted decimal, also where IPv6 carries it; IPv6 as RFC 5952 writes
 * it. Some proxies append the port, which is left out. Null for what is no address.
 */
export function canonicalAddress(text: string | undefined): string | null {
  return parse(text)?.toString() ?? null;
}

/** Whom to count together: an IPv4 address, however it comes, or all of an IPv6 site, `2001:db8:1:2::/64`. */
export function networkOf(text: string | null): string {
  const address = parse(text ?? undefined);
  if (!address) return 'unknown';
  if (address.kind() === 'ipv4') return address.toString();
  const bytes = address.toByteArray();
  const carried = IPV4_AT[address.range()];
  if (carried !== undefined) return ipaddr.fromByteArray(bytes.slice(carried, carried + 4)).toString();
  const site = bytes.map((byte, i) => (i < IPV6_SITE / 8 ? byte : 0));
  return `${ipaddr.fromByteArray(site).toString()}/${IPV6_SITE}`;
}

function parse(text = ''): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  const bare = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(text)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(text)?.[1] ?? text;
  // The zone of a link-local address is a name of our own interface.
  const [address = ''] = bare.split('%');
  // Only the forms of RFC 3986: the library also reads 127.1 and 0x7f000001, which others read differently.
  if (!ipaddr.IPv4.isValidFourPartDecimal(address) && !ipaddr.IPv6.isValid(address)) return undefined;
  return ipaddr.process(address);
}
