import ipaddr from 'ipaddr.js';

/** Bits of an IPv6 address that identify a site; a household or host chooses the rest itself (RFC 6177, RFC 8981). */
const IPV6_SITE = 64;
/** Bits that identify what one customer or rented server may have: 65,536 sites. */
const IPV6_WIDE = 48;

/** The byte offset of an IPv4 address inside IPv6: translators (RFC 6052, RFC 7915) and 6to4 (RFC 3056). */
const IPV4_AT: Partial<Record<string, number>> = { rfc6052: 12, rfc6145: 12, '6to4': 2 };

/**
 * Returns the canonical form of an address: IPv4 in dotted decimal, also if IPv6 carries it; IPv6 as in RFC 5952. Drops
 * the port that some proxies append. Null if it is not an address.
 */
export function canonicalAddress(text: string | undefined): string | null {
  return parse(text)?.toString() ?? null;
}

/** Returns the network that is counted as one: an IPv4 address, or an IPv6 site such as `2001:db8:1:2::/64`. */
export function networkOf(text: string | null): string {
  return networkOfWidth(text, IPV6_SITE);
}

/** Returns the /48 of an IPv6 address, because its owner can choose among its sites. Undefined for other addresses. */
export function wideNetworkOf(text: string | null): string | undefined {
  const network = networkOfWidth(text, IPV6_WIDE);
  return network.endsWith(`/${IPV6_WIDE}`) ? network : undefined;
}

function networkOfWidth(text: string | null, bits: number): string {
  const address = parse(text ?? undefined);
  if (!address) return 'unknown';
  if (address.kind() === 'ipv4') return address.toString();
  const bytes = address.toByteArray();
  const carried = IPV4_AT[address.range()];
  if (carried !== undefined) return ipaddr.fromByteArray(bytes.slice(carried, carried + 4)).toString();
  const site = bytes.map((byte, i) => (i < bits / 8 ? byte : 0));
  return `${ipaddr.fromByteArray(site).toString()}/${bits}`;
}

function parse(text = ''): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  const bare = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(text)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(text)?.[1] ?? text;
  // The zone of a link-local address is the name of our own interface.
  const [address = ''] = bare.split('%');
  // Only the forms of RFC 3986: the library also reads 127.1 and 0x7f000001, which other programs read differently.
  if (!ipaddr.IPv4.isValidFourPartDecimal(address) && !ipaddr.IPv6.isValid(address)) return undefined;
  return ipaddr.process(address);
}
