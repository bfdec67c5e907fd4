import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** An empty directory that goes, with all that is in it then, when it is disposed. */
export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
}

/** `await using directory = await temporaryDirectory();` */
export function temporaryDirectory(): Promise<TemporaryDirectory> {
  return mkdtempDisposable(join(tmpdir(), "taskhub-test-"));
}
