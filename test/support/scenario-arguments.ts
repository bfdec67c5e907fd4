/** The words of one line of a scenario: `start order name=Order input="\"a\"" tags={"a":"b"}`. */
import { create } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import {
  type TaskFailureDetails,
  TaskFailureDetailsSchema,
  type TraceContext,
  TraceContextSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";

/** Times without a date are of this day. */
const day = "2026-01-01";

export class ScenarioArguments {
  readonly #words: string[] = [];
  readonly #options = new Map<string, string>();
  readonly #line: string;

  constructor(line: string) {
    this.#line = line;
    for (const token of line.match(/(?:[^\s"{]|"(?:[^"\\]|\\.)*"|\{[^}]*\})+/g) ?? []) {
      const option = /^([a-zA-Z-]+)=(.*)$/s.exec(token);
      if (option === null) this.#words.push(token);
      else this.#options.set(option[1] ?? "", option[2] ?? "");
    }
  }

  word(what: string): string {
    const word = this.#words.shift();
    if (word === undefined) throw new Error(`${what} is missing: ${this.#line}`);
    return unquote(word);
  }

  /** Whether the word stands in the line. */
  flag(word: string): boolean {
    const at = this.#words.indexOf(word);
    if (at !== -1) this.#words.splice(at, 1);
    return at !== -1;
  }

  /** A bare value is taken as it is; quotes are needed for spaces, and for empty text. */
  text(key: string): string | undefined {
    const value = this.#options.get(key);
    this.#options.delete(key);
    return value === undefined ? undefined : unquote(value);
  }

  number(key: string): number | undefined {
    const text = this.text(key);
    return text === undefined ? undefined : Number(text);
  }

  time(key: string): Timestamp | undefined {
    const text = this.text(key);
    return text === undefined ? undefined : parseTime(text);
  }

  map(key: string): Record<string, string> {
    return JSON.parse(this.text(key) ?? "{}") as Record<string, string>;
  }

  /** `failure=Type:message`. */
  failure(key: string): TaskFailureDetails | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const [errorType = "", ...message] = text.split(":");
    return create(TaskFailureDetailsSchema, { errorType, errorMessage: message.join(":") });
  }

  trace(key: string): TraceContext | undefined {
    const text = this.text(key);
    return text === undefined ? undefined : create(TraceContextSchema, { traceParent: text });
  }

  /** A misspelt option must not pass for an absent one. */
  end(): void {
    const left = [...this.#words, ...this.#options.keys()];
    if (left.length > 0) throw new Error(`not understood: ${left.join(", ")} in: ${this.#line}`);
  }
}

function unquote(text: string): string {
  return text.startsWith('"') ? (JSON.parse(text) as string) : text;
}

export function parseTime(text: string): Timestamp {
  const [whole = "", fraction = ""] = text.replace("Z", "").split(".");
  const milliseconds = Date.parse(`${whole.includes("T") ? whole : `${day}T${whole}`}Z`);
  if (Number.isNaN(milliseconds)) throw new Error(`not a time: ${text}`);
  const nanos = Number(fraction.padEnd(9, "0"));
  return create(TimestampSchema, { seconds: BigInt(milliseconds / 1_000), nanos });
}

export function formatTime({ seconds, nanos }: Timestamp): string {
  const whole = new Date(Number(seconds) * 1_000).toISOString().slice(0, 19);
  const fraction = nanos === 0 ? "" : `.${String(nanos).padStart(9, "0").replace(/0+$/, "")}`;
  return whole.startsWith(day) ? whole.slice(11) + fraction : `${whole}${fraction}Z`;
}
