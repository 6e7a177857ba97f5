const encoder = new TextEncoder();

/**
 * DSSE's pre-authentication encoding: what a signature over `payload` is really over. Type and
 * lengths are part of it, so that bytes signed as one thing never pass for another, and no
 * canonical form of the payload is needed.
 */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const typeBytes = encoder.encode(payloadType).length;
  const head = encoder.encode(`DSSEv1 ${typeBytes} ${payloadType} ${payload.length} `);
  const whole = new Uint8Array(head.length + payload.length);
  whole.set(head);
  whole.set(payload, head.length);
  return whole;
}
