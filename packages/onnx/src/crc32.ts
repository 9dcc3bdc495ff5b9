const TABLE = Int32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c;
});

/** The CRC-32 of PNG and gzip over several pieces, as 8 hexadecimal digits. */
export function crc32(pieces: Iterable<Uint8Array>): string {
  let c = -1;
  for (const bytes of pieces) {
    for (let k = 0; k < bytes.length; k++) c = TABLE[(c ^ bytes[k]!) & 255]! ^ (c >>> 8);
  }
  return (~c >>> 0).toString(16).padStart(8, "0");
}
