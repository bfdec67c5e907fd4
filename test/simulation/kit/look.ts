/** One look of a reader at an instance, and what is known of the disk meanwhile. */
import type { InstanceState } from "../../../sidecar/engine/state.ts";
import { type Shadow, stateBytes } from "./shadow.ts";
import { violated } from "./violation.ts";

export class Look {
  readonly #shadow: Shadow;
  readonly #where: { readonly hub: string; readonly instanceId: string };
  /** Lives that had ended before it asked. */
  readonly #over = new Set<bigint>();
  #durable: { readonly number: bigint; readonly sequence: number } | undefined;
  #seen: { readonly number: bigint; readonly sequence: number; readonly bytes: Buffer } | undefined;

  constructor(shadow: Shadow, where: { readonly hub: string; readonly instanceId: string }) {
    this.#shadow = shadow;
    this.#where = where;
  }

  /** Once more when its answer was lost: what it saw then is of no interest. */
  asks(): void {
    this.#seen = undefined;
    const state = this.#state();
    this.#durable = state && { number: state.number, sequence: state.sequence };
    for (const { number, isOver } of this.#shadow.lives.values()) {
      if (isOver) this.#over.add(number);
    }
  }

  sees(state: InstanceState): void {
    const { number, sequence } = state;
    this.#seen = { number, sequence, bytes: stateBytes(state) };
  }

  isTold(): void {
    const seen = this.#seen;
    const before = this.#durable;
    const state = this.#state();
    const { instanceId } = this.#where;
    if (seen === undefined) {
      if (before !== undefined && state?.number === before.number) {
        violated(`G12: ${instanceId} is there, and was not found`);
      }
      return;
    }
    if (before?.number === seen.number && seen.sequence < before.sequence) {
      violated(`G12: ${instanceId} was read as of ${seen.sequence}, behind ${before.sequence}`);
    }
    if (before !== undefined && seen.number < before.number) {
      violated(`G12: an earlier life of ${instanceId} was read`);
    }
    if (state?.number !== seen.number) {
      // It may have been purged, or removed as empty, since it was asked for.
      if (!this.#shadow.lives.has(seen.number) || this.#over.has(seen.number)) {
        violated(`G12: a life of ${instanceId} was read that is not on the disk`);
      }
      return;
    }
    if (seen.sequence > state.sequence) {
      violated(
        `G12: ${instanceId} was read as of ${seen.sequence}, the disk has ${state.sequence}`,
      );
    }
    if (seen.sequence === state.sequence && !seen.bytes.equals(stateBytes(state))) {
      violated(`${instanceId} is in memory what its log does not tell`);
    }
  }

  #state(): InstanceState | undefined {
    return this.#shadow.find(this.#where.hub, this.#where.instanceId)?.state;
  }
}
