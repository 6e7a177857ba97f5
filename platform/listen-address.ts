import { invariant } from '../domain/errors.ts';

/** Host and port of a checked `host:port` setting; IPv6 in brackets. */
export function listenAddress(setting: string): { readonly host: string; readonly port: number } {
  const colon = setting.lastIndexOf(':');
  invariant(colon > 0, 'a listen setting was checked by its schema');
  const host = setting.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  return { host, port: Number(setting.slice(colon + 1)) };
}
