/** What a check waits for: what it says when its patience is over. */
export class Waits {
  readonly #labels = new Set<{ readonly label: string }>();

  /** Notes the label until the promise is settled. Nobody has to handle its rejection. */
  during<T>(label: string, promise: Promise<T>): Promise<T> {
    const noted = { label };
    this.#labels.add(noted);
    const forget = () => void this.#labels.delete(noted);
    promise.then(forget, forget);
    return promise;
  }

  /** `an answer to StartInstance and a turn of "x"`; the empty text when nothing is waited for. */
  describe(): string {
    return [...new Set([...this.#labels].map(({ label }) => label))].join(" and ");
  }
}
