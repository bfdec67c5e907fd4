/** Numbers that name lives and hubs, each given out once in the life of the store. */
import { assert } from "../../foundation/assert.ts";
import { HubError } from "../../foundation/errors.ts";
import type { StorageNumber } from "../store.ts";

/**
 * Every group record says that so many numbers ahead may have been used. Numbers handed out
 * afterwards need no write of their own, and are skipped at the next opening when the commits that
 * would have used them were lost.
 */
const RESERVED_AHEAD = 2n ** 24n;

/** The top 16 bits name a partition. */
const NUMBERS_END = 2n ** 48n;

/** What a group record says when the next number to be given out is `next`. */
export function reservationFrom(next: StorageNumber): StorageNumber {
  return next + RESERVED_AHEAD;
}

export class StorageNumbers {
  #next: StorageNumber;
  #reserved: StorageNumber;
  #wanted = 0n;

  /** A reservation from `next` on is durable. */
  constructor(next: StorageNumber) {
    this.#next = next;
    this.#reserved = reservationFrom(next);
  }

  allocate(): StorageNumber {
    const number = this.#next;
    assert(number < this.#reserved && number < NUMBERS_END, "storage numbers ran out");
    this.#next += 1n;
    return number;
  }

  /**
   * So many in a row will be wanted: groups that are written from now on reserve them besides.
   *
   * @throws HubError "limit-exceeded" when there are not so many left
   */
  want(count: bigint): void {
    if (this.#next + this.#wanted + count >= NUMBERS_END) {
      throw new HubError("limit-exceeded", "there are not enough storage numbers left");
    }
    this.#wanted += count;
  }

  /** The first of so many that were wanted, once a group that reserves them is durable. */
  take(count: bigint): StorageNumber {
    const first = this.#next;
    assert(count <= this.#wanted && first + count < this.#reserved, "numbers are reserved first");
    this.#wanted -= count;
    this.#next += count;
    return first;
  }

  /** For the record of the group that is about to be written. */
  reservation(): StorageNumber {
    return reservationFrom(this.#next + this.#wanted);
  }

  /** The group that said so is durable. */
  reserve(reserved: StorageNumber): void {
    this.#reserved = reserved;
  }
}
