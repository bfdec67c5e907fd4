/** A timer that falls due behind holds is moved by the time for which it stood still, and then fires. */
import { Cause } from "../../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import type { Life } from "./shadow.ts";
import { violated } from "./violation.ts";

export class TimerMoves {
  /** How often each timer was moved when it fell due, by the number of its life and its own. */
  readonly #moves = new Map<string, number>();

  /**
   * Entries of the life have landed.
   *
   * @param most how often a timer may have stood still so far
   * @throws Violation
   */
  note({ number, state, fresh }: Life, most: number): void {
    for (const { header, timersMoved } of fresh) {
      if (header?.cause !== Cause.DUE) continue;
      for (const { id } of timersMoved) {
        const timer = `${number} ${id}`;
        const moves = (this.#moves.get(timer) ?? 0) + 1;
        this.#moves.set(timer, moves);
        if (moves > most) violated(`timer ${id} of ${state.instanceId} was moved ${moves} times`);
      }
    }
  }
}
