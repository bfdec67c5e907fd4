/** Counts what power cuts take away from a sidecar that is not as careful as it should be. */
import { newClient } from "../../support/javascript-sdk.ts";
import { SidecarEnded, startSidecar } from "../../support/sidecar-process.ts";
import type { Random } from "../kill/random.ts";
import type { FaultBench } from "../shim/shim.ts";
import { parseTrace } from "../shim/trace.ts";
import { makeCrashImage } from "./crash-image.ts";

const STARTS = 100;

export interface LossOptions {
  readonly directory: string;
  readonly bench: FaultBench;
  readonly random: Random;
  readonly images: number;
}

export interface Loss {
  readonly images: number;
  readonly acknowledgedStarts: number;
  readonly lostStarts: number;
  /** Images that could not be opened, or were known to miss something. */
  readonly refusedImages: number;
}

/** Each image is one of a store of its own, with nothing in it but acknowledged starts. */
export async function lossOf({ directory, bench, random, images }: LossOptions): Promise<Loss> {
  const loss = { images, acknowledgedStarts: 0, lostStarts: 0, refusedImages: 0 };
  for (let i = 0; i < images; i += 1) {
    const crashed = `${directory}/crashed-${i}`;
    const image = `${directory}/image-${i}`;
    const ids = await acknowledgedStarts(bench, crashed);
    const trace = parseTrace(await bench.trace());
    const { trash } = bench;
    const baseline = new Map<bigint, number>();
    await makeCrashImage({ crashed, image, trace, trash, baseline, random });
    await bench.emptyTrace();
    const lost = await missing(bench, image, ids);
    loss.acknowledgedStarts += ids.length;
    loss.lostStarts += lost ?? 0;
    loss.refusedImages += lost === undefined ? 1 : 0;
    await bench.emptyTrace();
  }
  return loss;
}

async function acknowledgedStarts(bench: FaultBench, directory: string): Promise<string[]> {
  await using sidecar = await startSidecar(bench.sidecarOn(directory));
  const client = newClient({ port: sidecar.port });
  const started = Array.from({ length: STARTS }, (_, i) =>
    client.scheduleNewOrchestration("nobody runs it", i, { instanceId: `instance-${i}` }),
  );
  const ids = await Promise.all(started);
  await sidecar.kill();
  await client.stop();
  return ids;
}

/** @returns how many are not there, or undefined when the sidecar does not serve the image */
async function missing(
  bench: FaultBench,
  directory: string,
  ids: readonly string[],
): Promise<number | undefined> {
  try {
    await using sidecar = await startSidecar(bench.sidecarOn(directory));
    const client = newClient({ port: sidecar.port });
    const states = await Promise.all(ids.map((id) => client.getOrchestrationState(id)));
    await client.stop();
    return states.filter((state) => state === undefined).length;
  } catch (error) {
    if (error instanceof SidecarEnded) return undefined;
    throw error;
  }
}
