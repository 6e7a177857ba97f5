/** Why nothing is sent to an address: what of it is wrong, and what it must be. */
export type EgressRefusal = { readonly value: string; readonly fix: string };

/**
 * Whether anything may be sent to an address that somebody else named; null if it may. By HTTP, to
 * hosts that the operator allows, compared as they are written: `web1.lan`, `*.lan` for every name
 * below it, or `10.1.0.0/16` for every IPv4 address in it. What a name resolves to is not looked at.
 */
export function egressRefusal(
  { protocol, hostname }: Pick<URL, 'protocol' | 'hostname'>,
  allowed: readonly string[],
): EgressRefusal | null {
  if (protocol !== 'http:' && protocol !== 'https:') {
    return { value: protocol, fix: 'must be http or https' };
  }
  const host = hostname.replace(/^\[|\]$/g, '');
  if (allowed.some((entry) => isAllowedBy(entry, host))) return null;
  return {
    value: host,
    fix: 'is not a host that may be sent to; FIXPOINT_EGRESS_ALLOW names them',
  };
}

function isAllowedBy(entry: string, host: string): boolean {
  if (entry.startsWith('*.'))
    return host.endsWith(entry.slice(1)) && host.length > entry.length - 1;
  const [, network = '', bits = ''] = /^([\d.]+)\/(\d{1,2})$/.exec(entry) ?? [];
  if (network === '') return entry === host;
  const [address, base] = [ipv4Of(host), ipv4Of(network)];
  const hostBits = 32 - Number(bits);
  if (address === null || base === null || hostBits < 0) return false;
  return Math.floor(address / 2 ** hostBits) === Math.floor(base / 2 ** hostBits);
}

/** An IPv4 address as a number, or null; addresses of a URL are in four decimal parts. */
function ipv4Of(text: string): number | null {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) return null;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}
