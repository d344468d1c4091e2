import { WireError } from "../../../shared/base/index.ts";
import { Hello, type Input } from "../../../shared/wire/index.ts";

/** Labels and names, no more. */
export const MAX_HELLO_BYTES = 16 * 1024;

/** Length (four bytes, big endian) and message. */
export function encodeHello(hello: Input<typeof Hello>): Buffer {
  const message = Hello.encode(hello);
  const frame = Buffer.allocUnsafe(4 + message.length);
  frame.writeUInt32BE(message.length, 0);
  frame.set(message, 4);
  return frame;
}

/** The Hello at the start of `buffer` and the offset after it; undefined while it is incomplete. Throws WireError. */
export function decodeHello(buffer: Buffer): { hello: Hello; next: number } | undefined {
  if (buffer.length < 4) return undefined;
  const length = buffer.readUInt32BE(0);
  if (length > MAX_HELLO_BYTES) throw new WireError(`Hello: ${length} bytes are too many`);
  if (buffer.length < 4 + length) return undefined;
  return { hello: Hello.decode(buffer.subarray(4, 4 + length)), next: 4 + length };
}
