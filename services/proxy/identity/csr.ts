import { type KeyObject, sign } from "node:crypto";

/*
 * A PKCS #10 request that carries a P-256 key and nothing else: the CA takes the identity from the subject of the bus
 * message and would ignore every name in here. Five nested values do not deserve a certificate library of 18 MB in
 * every sidecar.
 */

const SEQUENCE = 0x30;
const BIT_STRING = 0x03;
const VERSION_0 = Buffer.from([0x02, 0x01, 0x00]);
const NO_ATTRIBUTES = Buffer.from([0xa0, 0x00]);
/** ecdsa-with-SHA256, 1.2.840.10045.4.3.2 (RFC 5758). */
const ECDSA_WITH_SHA256 = Buffer.from([0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]);

/** The signed request, DER. */
export function createCsr(publicKey: KeyObject, privateKey: KeyObject): Uint8Array {
  const emptyName = der(SEQUENCE);
  const info = der(SEQUENCE, VERSION_0, emptyName, publicKey.export({ type: "spki", format: "der" }), NO_ATTRIBUTES);
  const signature = sign("sha256", info, privateKey);
  return der(SEQUENCE, info, der(SEQUENCE, ECDSA_WITH_SHA256), der(BIT_STRING, Buffer.from([0]), signature));
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length =
    body.length < 0x80
      ? [body.length]
      : body.length < 0x100
        ? [0x81, body.length]
        : [0x82, body.length >> 8, body.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}
