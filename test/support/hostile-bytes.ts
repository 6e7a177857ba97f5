/** The header of a WebSocket frame that announces 4 GiB; a client's is masked, with a mask of zeros. */
export function fourGigabytes(of: { readonly isMasked: boolean }): Buffer {
  const header = Buffer.alloc(of.isMasked ? 14 : 10);
  header.writeUInt8(0x82, 0);
  header.writeUInt8((of.isMasked ? 0x80 : 0) | 127, 1);
  header.writeBigUInt64BE(4n * 1024n ** 3n, 2);
  return header;
}

/** A frame of a good kind with a field that nests `depth` arrays, within the size a frame may have. */
export const deeplyNested = (frame: Readonly<Record<string, unknown>>, depth: number): string => {
  const text = JSON.stringify(frame);
  return `${text.slice(0, -1)},"deep":${'['.repeat(depth)}${']'.repeat(depth)}}`;
};
