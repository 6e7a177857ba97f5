import { crockford } from './ids.ts';

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
const timeDigits = 10;

/** A ULID, lower case: sorts by time. `random` is 10 bytes. */
export function ulidOf(nowMs: number, random: Uint8Array): string {
  let time = '';
  for (let left = nowMs; time.length < timeDigits; left = Math.floor(left / 32)) {
    time = alphabet.charAt(left % 32) + time;
  }
  return time + crockford(random);
}
