import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  formatDuration,
  formatIp,
  isInCidr,
  isSameIp,
  parseCidr,
  parseDurationMs,
  parseIp,
} from "../../shared/policy/index.ts";

function ip(text: string): Uint8Array {
  const bytes = parseIp(text);
  assert(bytes !== undefined, text);
  return bytes;
}

describe("durations", () => {
  const written: readonly [number, string][] = [
    [0, "0s"],
    [6.848, "6.848ms"],
    [0.0015, "1.5µs"],
    [0.000002, "2ns"],
    [1500, "1.5s"],
    [60_500, "1m0.5s"],
    [3_900_000, "1h5m0s"],
    [-250, "-250ms"],
    [999.999999, "999.999999ms"],
  ];
  for (const [ms, text] of written) {
    it(`of ${ms} ms are written ${text} and read back`, () => {
      assert.equal(formatDuration(ms), text);
      assert.ok(Math.abs((parseDurationMs(text) ?? Number.NaN) - ms) < 1e-6);
    });
  }

  it("are not read from other text", () => {
    for (const text of ["", "5", "s", "1 s", "1s ", "1d", "--1s", "1.2.3s", "1e3s"])
      assert.equal(parseDurationMs(text), undefined, text);
  });
});

describe("addresses", () => {
  const written: readonly [string, string][] = [
    ["10.0.0.1", "10.0.0.1"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:0:0:0:1", "2001:db8:0:1::1"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
    ["64:ff9b::1.2.3.4", "64:ff9b::102:304"],
  ];
  for (const [text, shown] of written) {
    it(`such as ${text} are written ${shown}`, () => assert.equal(formatIp(ip(text)), shown));
  }

  it("are the same in 4 bytes and in 16", () => {
    const long = new Uint8Array(16);
    long.set([0xff, 0xff, 10, 0, 0, 1], 10);
    assert.ok(isSameIp(long, ip("10.0.0.1")));
    assert.equal(formatIp(long), "10.0.0.1");
    assert.equal(formatIp(new Uint8Array(3)), "");
  });

  it("are in a range by its leading bits", () => {
    const isIn = (range: string, address: string): boolean => {
      const cidr = parseCidr(range);
      assert(cidr !== undefined, range);
      return isInCidr(cidr, ip(address));
    };
    assert.equal(isIn("10.0.0.0/8", "10.255.0.1"), true);
    assert.equal(isIn("10.0.0.0/8", "11.0.0.1"), false);
    assert.equal(isIn("192.168.4.0/22", "192.168.7.255"), true);
    assert.equal(isIn("192.168.4.0/22", "192.168.8.0"), false);
    assert.equal(isIn("1.2.3.4", "1.2.3.4"), true);
    assert.equal(isIn("1.2.3.4", "1.2.3.5"), false);
    assert.equal(isIn("2001:db8::/33", "2001:db8:7fff::1"), true);
    assert.equal(isIn("2001:db8::/33", "2001:db8:8000::1"), false);
    assert.equal(isIn("0.0.0.0/0", "9.9.9.9"), true);
    assert.equal(isIn("::/0", "9.9.9.9"), false);
    for (const text of ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "x/8"])
      assert.equal(parseCidr(text), undefined, text);
  });
});
