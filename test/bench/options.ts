/** What the benchmark is asked to do. */
import { parseArgs } from "node:util";

/** Which store the sidecar under test has. */
export type StoreKind = "level" | "memory";

/** The command line, read once. */
export interface BenchOptions {
  /** Fewer and shorter cases: for trying a change out, not for figures. */
  readonly quick: boolean;
  /** Only the CPU profile of the sidecar. */
  readonly profileOnly: boolean;
  /** Everything, and the generated blocks of docs/performance.md are written. */
  readonly updateDocs: boolean;
  /** Tables as Markdown. */
  readonly markdown: boolean;
  /** Only cases whose name contains this text. */
  readonly only: string | undefined;
  readonly label: string | undefined;
  /** Flags of `taskhub serve` besides. */
  readonly serveArgs: readonly string[];
  /** The JSON of another run, to print ratios to. */
  readonly compare: string | undefined;
}

export const USAGE = `Usage: node test/bench/main.ts [options]

Measures a sidecar, a worker and a client, each in a process of its own.

  --quick           few cases, short (under 40 s); the default takes about 15 minutes
  --only TEXT       only cases whose name contains TEXT, for example "5 activities, 64"
  --profile         CPU profile of the sidecar instead: its ten most expensive functions; of the first
                    case that --only names
  --markdown        print tables as Markdown
  --serve FLAG      one more flag of taskhub serve, such as --serve=--early-turns; repeatable
  --label TEXT      goes into the JSON of the run
  --compare FILE    the JSON of an earlier run: print this run's figures in relation to it
  --update-docs     full run and profile; writes the generated blocks of docs/performance.md
`;

/** @throws TypeError for an unknown option */
export function readOptions(args: readonly string[]): BenchOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      profile: { type: "boolean", default: false },
      markdown: { type: "boolean", default: false },
      "update-docs": { type: "boolean", default: false },
      only: { type: "string" },
      label: { type: "string" },
      serve: { type: "string", multiple: true, default: [] },
      compare: { type: "string" },
    },
  });
  if (values.help) return "help";
  return {
    quick: values.quick,
    profileOnly: values.profile,
    updateDocs: values["update-docs"],
    markdown: values.markdown,
    only: values.only,
    label: values.label,
    serveArgs: values.serve,
    compare: values.compare,
  };
}
