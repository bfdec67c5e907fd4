import { randomFillSync } from "node:crypto";

/** Where identities come from. Simulations and tests inject a seeded one. */
export interface Ids {
  /** 32 lower-case hexadecimal digits that nobody can guess and that never come twice. */
  next(): string;
}

const idBytes = 16;
const pool = Buffer.alloc(idBytes * 256);
let used = pool.length;

/**
 * Random identities, drawn from a pool because one system call each would cost more than all the
 * rest.
 */
export const randomIds: Ids = {
  next() {
    if (used === pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    used += idBytes;
    return pool.toString("hex", used - idBytes, used);
  },
};
