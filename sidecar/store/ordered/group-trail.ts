/** The group records that are kept, and which of them may go. */
import { LIMITS } from "../../foundation/limits.ts";
import type { Write } from "./bytes.ts";
import { groupKey } from "./keys.ts";

/**
 * LevelDB may replay its last two memtables when it opens, and can lose groups only from those. So
 * the records of groups that are older than `windowBytes` of newer writes say nothing any more.
 * They are deleted in bulk, once as many bytes again have gathered, and a slice at a time, so that
 * no flush is held up by it.
 */
export class GroupTrail {
  readonly #windowBytes: number;
  /** Bytes of the groups whose records are kept, oldest first, from `#head` on. */
  readonly #groups: number[];
  #head = 0;
  #oldest: number;
  #bytes = 0;
  #trimming = false;

  /**
   * `oldest` to `newest` were found at opening. Their size does not matter: all writes from now on
   * are newer.
   */
  constructor(windowBytes: number, oldest: number, newest: number) {
    this.#windowBytes = windowBytes;
    this.#oldest = oldest;
    this.#groups = new Array<number>(newest - oldest + 1).fill(0);
  }

  /** The next group is being written. */
  add(bytes: number): void {
    this.#groups.push(bytes);
    this.#bytes += bytes;
    if (this.#bytes > 2 * this.#windowBytes) this.#trimming = true;
  }

  /** Deletions to write with the next group. The newest record stays: nothing is behind it. */
  takeTrimmable(): Write[] {
    const writes: Write[] = [];
    while (this.#trimming && writes.length < LIMITS.groupRecordTrimMax) {
      const rest = this.#bytes - (this.#groups[this.#head] ?? 0);
      if (rest < this.#windowBytes) {
        this.#trimming = false;
        break;
      }
      writes.push({ type: "del", key: groupKey(this.#oldest) });
      this.#bytes = rest;
      this.#head += 1;
      this.#oldest += 1;
    }
    this.#compact();
    return writes;
  }

  #compact(): void {
    if (this.#head < 1024 || this.#head < this.#groups.length / 2) return;
    this.#groups.splice(0, this.#head);
    this.#head = 0;
  }
}
