import { limits } from '../contracts/limits.ts';

/** How many bytes of frames wait to be handled, of all sessions of a gateway together. */
export class FrameBacklog {
  #bytes = 0;

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  remove(bytes: number): void {
    this.#bytes -= bytes;
  }

  /** No session should read on before what it has sent was handled. */
  get isFull(): boolean {
    return this.#bytes > limits.gatewayWaitingBytes;
  }
}
