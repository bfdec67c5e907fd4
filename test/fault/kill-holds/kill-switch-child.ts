/**
 * Loaded into a sidecar by `--import`: once armed by SIGUSR2 the process kills itself at the N-th
 * commit that follows. `KILL_SWITCH=after:2` dies when the second one is durable and nobody was told.
 */
import { ClassicLevel } from "classic-level";

/** Where in a commit: not written, being written by another thread, or durable. */
type Moment = "before" | "during" | "after";

interface Batch {
  _write(options: unknown): Promise<void>;
}

const [moment, count] = (process.env.KILL_SWITCH ?? "").split(":");
let commitsLeft = Number.POSITIVE_INFINITY;

process.on("SIGUSR2", () => {
  commitsLeft = Number(count);
  console.log(JSON.stringify({ level: "info", event: "kill-switch.armed" }));
});

const database = ClassicLevel.prototype as unknown as { _chainedBatch(): Batch };
const makeBatch = database._chainedBatch;
database._chainedBatch = function chainedBatch() {
  const batch = makeBatch.call(this);
  const write = batch._write.bind(batch);
  batch._write = (options) => {
    commitsLeft -= 1;
    return commitsLeft === 0 ? writeAndDie(() => write(options)) : write(options);
  };
  return batch;
};

async function writeAndDie(write: () => Promise<void>): Promise<void> {
  if ((moment as Moment) === "before") die();
  const written = write();
  if ((moment as Moment) === "during") die();
  await written;
  die();
}

function die(): never {
  process.kill(process.pid, "SIGKILL");
  throw new Error("it is dead");
}
