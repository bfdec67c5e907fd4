import { describe, expect, it } from "vitest";
import { isLoopbackAddress, originRefusal } from "../../sidecar/rpc/same-origin.ts";

const NO_HOST = "the Host header names no host";
const NOT_HERE = "the Host header must be localhost or a loopback address";
const OTHER_ORIGIN = "requests of other origins are refused";
const OTHER_SITE = "requests of other sites are refused";

function refusal(
  { host = "localhost:4001", origin, fetchSite }: Record<string, string | undefined>,
  toLoopback = true,
) {
  return originRefusal({ host, origin, fetchSite }, toLoopback);
}

describe("on loopback the Host header", () => {
  it.each([
    "localhost",
    "LOCALHOST:4001",
    "127.0.0.1",
    "127.0.0.1:4001",
    "127.255.3.4:80",
    "[::1]",
    "[::1]:4001",
    "[0:0:0:0:0:0:0:1]:4001",
  ])("%s is this machine's", (host) => {
    expect(refusal({ host })).toBe(undefined);
  });

  it.each([
    "evil.example",
    "evil.example:4001",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "127.evil.example",
    "127.1",
    "2130706433",
    "0.0.0.0:4001",
    "192.168.1.2",
    "[::]:4001",
    "[2001:db8::1]:4001",
    "[::1.evil]",
  ])("%s is not", (host) => {
    expect([NOT_HERE, NO_HOST]).toContain(refusal({ host }));
  });
});

describe("everywhere the Host header", () => {
  it.each(["", " ", "a b", "user@localhost", "localhost/x", "localhost#", "localhost,localhost"])(
    "%j names no host",
    (host) => {
      expect(refusal({ host }, false)).toBe(NO_HOST);
      expect(refusal({ host }, true)).toBe(NO_HOST);
    },
  );

  it("must be there", () => {
    const absent = { host: undefined, origin: undefined, fetchSite: undefined };
    expect(originRefusal(absent, false)).toBe(NO_HOST);
  });

  it.each(["taskhub.internal", "taskhub.internal:4001", "10.0.0.7", "my_service"])(
    "may be %s where others can connect",
    (host) => {
      expect(refusal({ host }, false)).toBe(undefined);
    },
  );
});

describe("the Origin header", () => {
  it.each([
    ["http://localhost:4001", "localhost:4001"],
    ["HTTP://LOCALHOST:4001", "localhost:4001"],
    ["https://localhost:4001", "localhost:4001"],
    ["http://localhost", "localhost:80"],
    ["https://localhost", "localhost:443"],
    ["http://[::1]:4001", "[::1]:4001"],
  ])("%s is that of host %s", (origin, host) => {
    expect(refusal({ origin, host })).toBe(undefined);
  });

  it.each([
    ["http://localhost:4002", "localhost:4001"],
    ["http://localhost", "localhost:4001"],
    ["http://localhost", "localhost:443"],
    ["http://127.0.0.1:4001", "localhost:4001"],
    ["http://evil.example", "localhost:4001"],
    ["http://evil.example/localhost:4001", "localhost:4001"],
    ["http://localhost:4001@evil.example", "localhost:4001"],
    ["http://localhost:4001, http://localhost:4001", "localhost:4001"],
    ["chrome-extension://localhost:4001", "localhost:4001"],
    ["file://", "localhost:4001"],
    ["null", "localhost:4001"],
    ["", "localhost:4001"],
  ])("%j is not that of host %s", (origin, host) => {
    expect(refusal({ origin, host })).toBe(OTHER_ORIGIN);
    expect(refusal({ origin, host }, false)).toBe(OTHER_ORIGIN);
  });
});

describe("Sec-Fetch-Site", () => {
  it.each([undefined, "none", "same-origin", "same-site"])("%s passes", (fetchSite) => {
    expect(refusal({ fetchSite })).toBe(undefined);
  });

  it("cross-site is refused", () => {
    expect(refusal({ fetchSite: "cross-site" })).toBe(OTHER_SITE);
    expect(refusal({ fetchSite: "cross-site" }, false)).toBe(OTHER_SITE);
  });
});

describe("a loopback address", () => {
  it.each(["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])("is %s", (address) => {
    expect(isLoopbackAddress(address)).toBe(true);
  });

  it.each(["0.0.0.0", "::", "128.0.0.1", "localhost", "", "fe80::1", "::ffff:10.0.0.1"])(
    "is not %j",
    (address) => {
      expect(isLoopbackAddress(address)).toBe(false);
    },
  );
});
