/** Places where running work stops until a test lets it go on. Work knows their names only. */
export interface Gate {
  readonly name: string;
  /** Resolves when somebody has arrived at the gate. */
  readonly reached: Promise<void>;
  open(): void;
}

export class Gates {
  readonly #gates = new Map<
    string,
    { reached: PromiseWithResolvers<void>; opened: PromiseWithResolvers<void> }
  >();

  create(): Gate {
    const name = `gate-${this.#gates.size}`;
    const reached = Promise.withResolvers<void>();
    const opened = Promise.withResolvers<void>();
    this.#gates.set(name, { reached, opened });
    return { name, reached: reached.promise, open: opened.resolve };
  }

  open(name: string): void {
    this.#find(name).opened.resolve();
  }

  /** Waits at a gate until it is open. */
  async pass(name: string): Promise<void> {
    const gate = this.#find(name);
    gate.reached.resolve();
    await gate.opened.promise;
  }

  #find(name: string) {
    const gate = this.#gates.get(name);
    if (gate === undefined) throw new Error(`there is no gate ${name}`);
    return gate;
  }
}
