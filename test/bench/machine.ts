/** What a run was measured on. Says nothing that would name the machine. */
import { execFileSync } from "node:child_process";
import { cpus, loadavg, totalmem } from "node:os";
import type { Machine } from "./results.ts";

/** The facts of this machine, now. */
export function machineFacts(): Machine {
  const [cpu] = cpus();
  return {
    date: new Date().toISOString(),
    commit: commit(),
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpu?.model ?? "unknown",
    cores: cpus().length,
    memoryBytes: totalmem(),
    loadAverage: loadavg()[0] ?? 0,
  };
}

function commit(): string {
  try {
    const git = (...args: string[]) => execFileSync("git", args, { encoding: "utf8" }).trim();
    const changed = git("status", "--porcelain", "--untracked-files=no", "--", "sidecar") !== "";
    return git("rev-parse", "--short", "HEAD") + (changed ? "+" : "");
  } catch {
    return "unknown";
  }
}
