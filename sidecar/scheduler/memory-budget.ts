/** Bytes that one use of memory may take, over all task hubs. */
export class MemoryBudget {
  readonly bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isFull(): boolean {
    return this.#bytes >= this.bytesMax;
  }

  /** Takes so many bytes; negative: gives them back. */
  take(bytes: number): void {
    this.#bytes += bytes;
  }
}
