import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { AssertionFailed } from "../../sidecar/foundation/assert.ts";
import { HubError, type HubErrorCode } from "../../sidecar/foundation/errors.ts";
import { toRpcStatus } from "../../sidecar/rpc/error-mapping.ts";

const METHOD = "/TaskHubSidecarService/StartInstance";

function mapped(error: unknown) {
  const reports: unknown[][] = [];
  const { code, details } = toRpcStatus(error, METHOD, (...report) => reports.push(report));
  return { code: status[code], details, reports };
}

describe("an expected failure", () => {
  const codes: [HubErrorCode, keyof typeof status][] = [
    ["invalid-argument", "INVALID_ARGUMENT"],
    ["instance-not-found", "NOT_FOUND"],
    ["instance-exists", "ALREADY_EXISTS"],
    ["failed-precondition", "FAILED_PRECONDITION"],
    ["limit-exceeded", "RESOURCE_EXHAUSTED"],
    ["unavailable", "UNAVAILABLE"],
    ["unimplemented", "UNIMPLEMENTED"],
    ["cancelled", "CANCELLED"],
    ["deadline-exceeded", "DEADLINE_EXCEEDED"],
  ];

  it.each(codes)("%s is %s and keeps its message", (code, name) => {
    const message = "what was wrong, for users";
    expect(mapped(new HubError(code, message))).toEqual({
      code: name,
      details: message,
      reports: [],
    });
  });

  it("is found in the AbortError that the runtime makes of a signal's reason", () => {
    const reason = new HubError("deadline-exceeded", "too late");
    const error = Object.assign(new Error("The operation was aborted", { cause: reason }), {
      name: "AbortError",
    });
    expect(mapped(error)).toEqual({ code: "DEADLINE_EXCEEDED", details: "too late", reports: [] });
  });

  it("may quote what a trailer cannot carry", () => {
    const { details } = mapped(new HubError("invalid-argument", "id \ud800 is odd"));
    expect(details).toBe("id \ufffd is odd");
    expect(() => encodeURI(details)).not.toThrow();
  });

  it("is cut to what every client takes as a trailer", () => {
    const { details } = mapped(new HubError("invalid-argument", "\u{1f600}€".repeat(10_000)));
    expect(details.endsWith("…")).toBe(true);
    expect(encodeURI(details).length).toBeLessThan(8 * 1024);
  });
});

describe("an internal failure", () => {
  const failures: [string, unknown][] = [
    ["a bug", new TypeError("cannot read /var/lib/taskhub of undefined")],
    ["a failed assertion", new AssertionFailed("sequence 4 follows 2")],
    ["something that is no Error", "boom"],
    ["store-distrusted", new HubError("store-distrusted", "/var/lib/taskhub/000005.ldb: checksum")],
    ["store-in-use", new HubError("store-in-use", "/var/lib/taskhub is in use")],
    ["store-refused", new HubError("store-refused", "/var/lib/taskhub is not ours")],
    ["an abort without our reason", new DOMException("This operation was aborted", "AbortError")],
  ];

  it.each(failures)("%s is INTERNAL, reported, and tells the caller nothing", (_name, error) => {
    const { code, details, reports } = mapped(error);
    expect(code).toBe("INTERNAL");
    expect(details).toMatch(/^internal error [0-9a-f]{8}$/);
    expect(reports).toEqual([[error, details.slice(-8), METHOD]]);
  });
});
