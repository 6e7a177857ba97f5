/** Why nothing is sent to an address: what of it is wrong, and what it must be. */
export type EgressRefusal = { readonly value: string; readonly fix: string };

/**
 * Whether this gateway may send anything to an address that somebody else named; null if it may. By
 * HTTP, to hosts that the operator allows, compared as they are written.
 */
export function egressRefusal(
  { protocol, hostname }: URL,
  allowed: readonly string[],
): EgressRefusal | null {
  if (protocol !== 'http:' && protocol !== 'https:') {
    return { value: protocol, fix: 'must be http or https' };
  }
  const host = hostname.replace(/^\[|\]$/g, '');
  if (allowed.includes(host)) return null;
  return {
    value: host,
    fix: 'is not a host that this gateway may send to; FIXPOINT_EGRESS_ALLOW names them',
  };
}
