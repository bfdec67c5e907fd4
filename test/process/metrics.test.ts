/** What /metrics says, and that the page, the dashboard and the alert rules speak of the same. */
import { readFileSync } from "node:fs";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { beforeAll, describe, expect, it } from "vitest";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { ClientService } from "../../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";
import { parsePlainYaml } from "../support/plain-yaml.ts";
import { RunningSidecar } from "../support/running-app.ts";
import { completed, scheduleTask } from "../support/worker-actions.ts";

interface Exported {
  readonly type: string;
  readonly help: string;
  /** Of its samples; without `le` for a histogram. Undefined: it has none now. */
  readonly labels: readonly string[] | undefined;
}

let text = "";
let exported: ReadonlyMap<string, Exported> = new Map();

/** A sidecar with something of everything. */
beforeAll(async () => {
  await using sidecar = await RunningSidecar.start();
  const baseUrl = `http://${sidecar.address}`;
  const transport = createConnectTransport({ baseUrl, httpVersion: "1.1" });
  const compatible = createClient(TaskHubSidecarService, transport);
  const client = createClient(ClientService, transport);
  const worker = sidecar.worker();
  const start = { instanceId: "a", name: "Order", requestTime: { seconds: 1n } };
  await compatible.startInstance(start);
  await compatible.startInstance(start);
  await worker.complete(await worker.turn(), [scheduleTask(1)], { customStatus: '"packing"' });
  await worker.finish(await worker.activity(), { result: "done" });
  const last = await worker.turn();
  await worker.complete(last, [completed()]);
  await worker.complete(last, [completed()]);
  await compatible.startInstance({ instanceId: "b", name: "Order" });
  await client.suspendInstance({ instanceId: "b", name: "audit" });
  await expect(client.getCustomStatus({ instanceId: "none" })).rejects.toThrow();
  text = await (await fetch(`${baseUrl}/metrics`)).text();
  exported = parse(text);
});

function parse(page: string): ReadonlyMap<string, Exported> {
  const found = new Map<string, Exported>();
  for (const block of page.split(/(?=^# HELP )/m)) {
    const [, name = "", help = ""] = /^# HELP (\S+) (.+)$/m.exec(block) ?? [];
    const [, type = ""] = /^# TYPE \S+ (\w+)$/m.exec(block) ?? [];
    const samples = block.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    const labels = new Set<string>();
    for (const sample of samples) {
      for (const [, label = ""] of sample.matchAll(/[{,](\w+)="/g)) labels.add(label);
    }
    if (type === "histogram") labels.delete("le");
    const sorted = samples.length === 0 ? undefined : [...labels].toSorted();
    if (name !== "") found.set(name, { type, help, labels: sorted });
  }
  return found;
}

function valueAt(sample: string): number | undefined {
  const line = text.split("\n").find((each) => each.startsWith(`${sample} `));
  return line === undefined ? undefined : Number(line.slice(sample.length + 1));
}

describe("a running sidecar counts", () => {
  it("instances and their work", () => {
    expect(valueAt("taskhub_instances_started_total")).toBe(2);
    expect(valueAt('taskhub_instances_finished_total{status="completed"}')).toBe(1);
    expect(valueAt('taskhub_work_items_completed_total{kind="turn"}')).toBe(2);
    expect(valueAt('taskhub_work_items_completed_total{kind="activity"}')).toBe(1);
    expect(valueAt('taskhub_stale_completions_total{kind="turn"}')).toBe(1);
    expect(valueAt('taskhub_duplicates_dropped_total{what="start"}')).toBe(1);
    expect(valueAt('taskhub_log_entries_total{cause="complete_turn"}')).toBe(2);
    expect(valueAt('taskhub_worker_streams{task_hub="default"}')).toBe(1);
    expect(valueAt('taskhub_stranded_instances_total{work="turn"}')).toBe(0);
  });

  it("commits and flushes", () => {
    expect(valueAt("taskhub_commit_seconds_count")).toBe(6);
    const flushes = valueAt("taskhub_store_flush_seconds_count");
    expect(flushes).toBeGreaterThan(0);
    expect(valueAt("taskhub_store_commits_per_flush_count")).toBe(flushes);
    expect(valueAt('taskhub_store_flush_seconds_bucket{le="+Inf"}')).toBe(flushes);
    expect(valueAt("taskhub_store_written_bytes_total")).toBeGreaterThan(100);
  });

  it("calls by method and status, over whatever transport", () => {
    const calls = (method: string, code: string) =>
      valueAt(`taskhub_rpc_calls_total{method="${method}",code="${code}"}`);
    expect(calls("TaskHubSidecarService/StartInstance", "OK")).toBe(3);
    expect(calls("TaskHubSidecarService/CompleteOrchestratorTask", "OK")).toBe(3);
    expect(calls("taskhub.v1.ClientService/GetCustomStatus", "NOT_FOUND")).toBe(1);
    const name = "TaskHubSidecarService/StartInstance";
    expect(valueAt(`taskhub_rpc_duration_seconds_count{method="${name}"}`)).toBe(3);
  });
});

describe("every metric", () => {
  it("is ours, of the process or of Node, and says what it is", () => {
    for (const [name, { help, type }] of exported) {
      expect(name).toMatch(/^(taskhub|process|nodejs)_/);
      expect(help.length, name).toBeGreaterThan(5);
      if (!name.startsWith("taskhub_")) continue;
      expect(name.endsWith("_total"), `${name} is a ${type}`).toBe(type === "counter");
      expect(name).not.toMatch(/_(ms|millis|milliseconds|minutes|kb|mb|percent)(_|$)/);
      expect(help, name).toMatch(/\.$/);
    }
  });

  it("has samples that a scraper understands", () => {
    const sample = /^[a-z_][a-z0-9_]*(\{([a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})? [-+.\deInfNa]+$/;
    const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    expect(lines.length).toBeGreaterThan(200);
    expect(lines.filter((line) => !sample.test(line))).toEqual([]);
  });
});

describe("docs/metrics.md", () => {
  /** Name to type and labels. */
  const rows = new Map(
    readFileSync("docs/metrics.md", "utf8")
      .split("\n")
      .filter((line) => line.startsWith("| `"))
      .map((line) => {
        const [, name = "", type = "", labels = ""] = line.split("|").map((cell) => cell.trim());
        return [name.slice(1, -1), { type, labels: [...labels.matchAll(/\w+/g)].map(String) }];
      }),
  );

  it("has a row for every metric, and no other", () => {
    expect([...rows.keys()].toSorted()).toEqual([...exported.keys()].toSorted());
  });

  it("names their types and labels", () => {
    for (const [name, { type, labels }] of exported) {
      expect(rows.get(name)?.type, name).toBe(type);
      // What has no samples now shows no labels.
      if (labels !== undefined) expect(rows.get(name)?.labels.toSorted(), name).toEqual(labels);
    }
  });

  it("is what dashboard and alert rules may use", () => {
    const problems = [...dashboardQueries(), ...alertQueries()].flatMap(({ where, query }) =>
      problemsOf(query, rows).map((problem) => `${where}: ${problem}`),
    );
    expect(problems).toEqual([]);
  });

  it("notices what is not there", () => {
    expect(problemsOf('sum by (hub) (taskhub_leases{kind="turn"})', rows)).toEqual([
      "no metric of it has the label hub",
    ]);
    expect(problemsOf("rate(taskhub_timer_lateness_seconds_bucket[5m])", rows)).toEqual([]);
    expect(problemsOf("rate(taskhub_leases_bucket[5m])", rows)).toEqual([
      "there is no metric taskhub_leases_bucket",
    ]);
  });
});

interface Query {
  readonly where: string;
  readonly query: string;
}

type Rows = ReadonlyMap<string, { readonly type: string; readonly labels: readonly string[] }>;

/** Labels that Prometheus adds, and the one of buckets. */
const everywhere = ["instance", "job", "le"];

function problemsOf(query: string, rows: Rows): string[] {
  const problems: string[] = [];
  const labels = new Set(everywhere);
  for (const [name] of query.matchAll(/\b(?:taskhub|process|nodejs)_\w+/g)) {
    const base = name.replace(/_(?:bucket|sum|count)$/, "");
    const row =
      rows.get(name) ?? (rows.get(base)?.type === "histogram" ? rows.get(base) : undefined);
    if (row === undefined) problems.push(`there is no metric ${name}`);
    for (const label of row?.labels ?? []) labels.add(label);
  }
  const matched = Array.from(
    query.matchAll(/[{,]\s*(\w+)\s*(?:=~|!=|!~|=)/g),
    ([, one = ""]) => one,
  );
  const grouped = Array.from(
    query.matchAll(/\b(?:by|without|on|ignoring) \(([^)]*)\)/g),
    ([, list = ""]) => list.split(",").map((one) => one.trim()),
  ).flat();
  const shown = Array.from(query.matchAll(/\{\{(\w+)\}\}/g), ([, one = ""]) => one);
  for (const label of new Set([...matched, ...grouped, ...shown])) {
    if (!labels.has(label)) problems.push(`no metric of it has the label ${label}`);
  }
  return problems;
}

function dashboardQueries(): readonly Query[] {
  const dashboard = JSON.parse(readFileSync("docs/grafana/taskhub-dashboard.json", "utf8"));
  const found: Query[] = [];
  for (const { title, targets = [] } of dashboard.panels) {
    for (const { expr, legendFormat } of targets) {
      found.push({ where: title, query: `${expr} ${legendFormat}` });
    }
  }
  for (const { name, query } of dashboard.templating.list) {
    if (query.startsWith("label_values")) {
      const [, metric = "", label = ""] = /\((\w+), (\w+)\)/.exec(query) ?? [];
      found.push({ where: `variable ${name}`, query: `sum by (${label}) (${metric})` });
    }
  }
  expect(found.length).toBeGreaterThan(40);
  return found;
}

interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}

function alertQueries(): readonly Query[] {
  const file = parsePlainYaml(readFileSync("docs/grafana/taskhub-alerts.yaml", "utf8"));
  const { groups } = file as unknown as { groups: { name: string; rules: AlertRule[] }[] };
  const rules = groups.flatMap((group) => group.rules);
  expect(rules.length).toBeGreaterThan(15);
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  for (const { alert, expr, labels, annotations, ...more } of rules) {
    expect(alert).toMatch(/^TaskHub[A-Z]\w+$/);
    expect(["warning", "critical"]).toContain(labels.severity);
    expect(annotations.summary.length).toBeGreaterThan(10);
    expect(more.for ?? "1m").toMatch(/^\d+[smh]$/);
    expect(expr.split("(").length, `parentheses of ${alert}`).toBe(expr.split(")").length);
  }
  return rules.map(({ alert, expr }) => ({ where: alert, query: expr }));
}
