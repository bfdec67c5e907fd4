/** First in, first out. */
export class Fifo<T> {
  #items: T[] = [];
  #at = 0;

  get size(): number {
    return this.#items.length - this.#at;
  }

  get first(): T | undefined {
    return this.#items[this.#at];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Takes the first one out. The array is cut in bulk, because shifting it is linear. */
  shift(): void {
    this.#at += 1;
    const isWorthCutting = this.#at >= 1_024 && this.#at * 2 >= this.#items.length;
    if (this.#at < this.#items.length && !isWorthCutting) return;
    this.#items = this.#items.slice(this.#at);
    this.#at = 0;
  }

  *[Symbol.iterator](): Generator<T> {
    for (let at = this.#at; at < this.#items.length; at += 1) {
      const item = this.#items[at];
      if (item !== undefined) yield item;
    }
  }
}
