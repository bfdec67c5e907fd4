/** Loaded into a sidecar by `--import`: applies the patches of `FAULTS_PATCHES` to its sources. */
import { registerHooks } from "node:module";
import type { SourcePatch } from "./patches.ts";

const patches: readonly SourcePatch[] = JSON.parse(process.env.FAULTS_PATCHES ?? "[]");

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const wanted = patches.filter(({ file }) => url.endsWith(file));
    if (wanted.length === 0) return loaded;
    return { ...loaded, source: wanted.reduce(applied, String(loaded.source)) };
  },
});

function applied(text: string, { file, find, replace }: SourcePatch): string {
  const parts = text.split(find);
  if (parts.length !== 2) throw new Error(`"${find}" occurs ${parts.length - 1} times in ${file}`);
  return parts.join(replace);
}
