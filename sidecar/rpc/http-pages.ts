/** The pages for people, probes and Prometheus: plain text, for GET and HEAD. */

/** The metrics of the process, as a registry gives them. */
export interface MetricsPage {
  readonly contentType: string;
  text(): Promise<string>;
}

/** Where the pages get what they show. */
export interface PageSources {
  /** Default: ready. */
  readonly isReady?: () => boolean;
  /** Behind that, for people: what speaks against it, or will soon. */
  readonly remarks?: () => readonly string[];
  /** Without it there is no page. */
  readonly metrics?: MetricsPage;
}

/** What a page shows. */
export interface PageContent {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

/** By path. */
export type Pages = ReadonlyMap<string, () => Promise<PageContent>>;

/** A page, or an answer in place of one. */
export function plainText(status: number, text: string): PageContent {
  return { status, contentType: "text/plain; charset=utf-8", text: `${text}\n` };
}

export function httpPages({ isReady = () => true, remarks, metrics }: PageSources): Pages {
  const pages = new Map([
    ["/", async () => plainText(200, overview)],
    ["/healthz", async () => plainText(200, "ok")],
    ["/readyz", async () => readyPage(isReady(), remarks?.() ?? [])],
  ]);
  if (metrics !== undefined) {
    const { contentType } = metrics;
    pages.set("/metrics", async () => ({ status: 200, contentType, text: await metrics.text() }));
  }
  return pages;
}

function readyPage(isReady: boolean, remarks: readonly string[]): PageContent {
  const behind = remarks.length === 0 ? "" : `: ${remarks.join(", ")}`;
  return isReady ? plainText(200, `ready${behind}`) : plainText(503, `not ready${behind}`);
}

const overview = `Task Hub sidecar: gRPC, gRPC-web and Connect on this port.

GET /healthz   200 while the process answers
GET /readyz    200 when it should get calls, else 503
GET /metrics   for Prometheus

curl -H 'content-type: application/json' -d '{"instanceId":"order-1"}' \\
  http://localhost:4001/TaskHubSidecarService/GetInstance

Another task hub than "default" is chosen by the header taskhub. Reflection tells the methods to
gRPC tools; the documentation is README.md and the folder docs of the project.`;
