import packageJson from "../package.json" with { type: "json" };

export const VERSION = packageJson.version;

/** Name and version: what `--version` prints and what new data directories are marked with. */
export const PROGRAM = `taskhub ${VERSION}`;
