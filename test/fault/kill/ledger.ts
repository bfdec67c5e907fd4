/**
 * What the sidecar has acknowledged, kept outside it. A line is written only after the
 * acknowledgement has arrived, so each line must hold whatever happens to the sidecar.
 */
import type { OrchestrationState } from "@microsoft/durabletask-js";
import type { Job } from "./jobs.ts";

export type Line =
  | { readonly kind: "started"; readonly job: Job }
  | { readonly kind: "raised"; readonly instanceId: string; readonly mark: string }
  | {
      readonly kind: "suspended" | "resumed" | "terminated" | "rewound" | "purged";
      readonly instanceId: string;
    }
  | { readonly kind: "ended"; readonly instanceId: string; readonly state: OrchestrationState };

export class Ledger {
  readonly #lines: Line[] = [];
  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  write(line: Line): void {
    this.#lines.push(line);
    const due = this.#waiting.filter(({ count }) => count <= this.#lines.length);
    for (const { resolve } of due) resolve();
  }

  lines(): readonly Line[] {
    return this.#lines;
  }

  /** Resolves when there are so many more lines than now. */
  async grownBy(more: number): Promise<void> {
    if (more === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ count: this.#lines.length + more, resolve });
    await promise;
  }

  /** All lines about one instance, in the order of their acknowledgements. */
  of(instanceId: string): readonly Line[] {
    return this.#lines.filter((line) =>
      line.kind === "started" ? line.job.instanceId === instanceId : line.instanceId === instanceId,
    );
  }
}
