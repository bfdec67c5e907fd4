import { describe, expect, it } from "vitest";
import { createMetrics } from "../../sidecar/process/metrics.ts";
import { VERSION } from "../../sidecar/process/version.ts";
import type { PageSources } from "../../sidecar/rpc/http-pages.ts";
import { http1 } from "../support/raw-http1.ts";
import { openTestServer } from "../support/rpc-harness.ts";

const PLAIN = "text/plain; charset=utf-8";

async function page(path: string, pages: PageSources = {}, method = "GET") {
  await using served = await openTestServer([], { pages });
  const answer = await http1(served.address, path, { method });
  return { ...answer, internalErrors: served.internalErrors };
}

describe("the page", () => {
  it("/healthz says that the process answers", async () => {
    const headers = { "content-type": PLAIN, "x-content-type-options": "nosniff" };
    expect(await page("/healthz", { isReady: () => false })).toMatchObject({
      status: 200,
      headers,
      text: "ok\n",
    });
  });

  it.each([
    [true, 200, "ready\n"],
    [false, 503, "not ready\n"],
  ])("/readyz follows the readiness %s", async (ready, status, text) => {
    expect(await page("/readyz", { isReady: () => ready })).toMatchObject({ status, text });
  });

  it("/metrics has the metrics of the process and the version", async () => {
    const { status, headers, text } = await page("/metrics", { metrics: createMetrics().page });
    expect(status).toBe(200);
    expect(headers["content-type"]).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(text).toContain(
      `taskhub_build_info{version="${VERSION}",node="${process.versions.node}"} 1\n`,
    );
    expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
  });

  it("/metrics does not exist without metrics", async () => {
    expect((await page("/metrics")).status).toBe(404);
  });

  it("/metrics that fail are an internal error", async () => {
    const metrics = { contentType: PLAIN, text: () => Promise.reject(new Error("secret")) };
    const { status, text, internalErrors } = await page("/metrics", { metrics });
    const id = internalErrors[0]?.correlationId;
    expect([status, text]).toEqual([500, `internal error ${id}\n`]);
  });

  it("/ names the others, whatever its query", async () => {
    const { status, text } = await page("/?from=here");
    expect(status).toBe(200);
    for (const path of ["/healthz", "/readyz", "/metrics"]) expect(text).toContain(path);
  });

  it.each(["/", "/healthz", "/readyz"])("%s has headers only for HEAD", async (path) => {
    const { status, headers, text } = await page(path, {}, "HEAD");
    expect([status, text]).toEqual([200, ""]);
    expect(Number(headers["content-length"])).toBeGreaterThan(0);
  });
});
