/**
 * Regular expressions that others wrote and that run on texts of others. V8 backtracks: a pattern
 * such as `(a+)+b` takes longer than anybody waits. What could do that is refused here, by a
 * careful reading of the pattern, and for the rest it is known what the worst text costs.
 *
 * The reading is conservative: it refuses some patterns that are harmless.
 */
import { LIMITS } from "./limits.ts";

/** A pattern that backtracks at most `factor · n^order / order!` times on n characters. */
export interface PatternCost {
  readonly order: number;
  readonly factor: number;
}

/** A regular expression that cannot be used; the message says why. */
export class PatternRefused extends Error {
  override readonly name = "PatternRefused";
}

/** Ways to match that bounded repetitions and alternatives may multiply to. */
const factorMax = 1_000_000;
/** Atoms once bounded repetitions are written out, as the engine does it. */
const sizeMax = 10_000;
const orderMax = 20;

/** @throws PatternRefused */
export function readPattern(pattern: string): PatternCost {
  const lengthMax = LIMITS.schemaPatternLengthMax;
  if (pattern.length > lengthMax) {
    throw new PatternRefused(`is longer than ${lengthMax} characters`);
  }
  try {
    new RegExp(pattern, "u");
  } catch {
    throw new PatternRefused("is not a regular expression of ECMAScript with the flag u");
  }
  const { order, factor, hasAlternatives } = new PatternReader(pattern).read();
  const isAnchored = pattern.startsWith("^") && !hasAlternatives;
  return { order: isAnchored ? order : order + 1, factor };
}

/** How many characters a pattern looks at, at worst, in a text of this length. */
export function patternSteps({ order, factor }: PatternCost, length: number): number {
  let steps = factor;
  for (let power = 1; power <= order; power += 1) steps *= length / power;
  return Math.max(steps, length);
}

/** One atom of a sequence: a character, a class, an escape or a group. */
interface Atom {
  /** As written; undefined for a group. */
  readonly source: string | undefined;
  readonly group: Sequence | undefined;
  isQuantified: boolean;
  /** It matches texts of different lengths, by its quantifier. */
  isVariable: boolean;
}

/** What stands between two parentheses, or all of the pattern. */
interface Sequence {
  readonly atoms: Atom[];
  order: number;
  factor: number;
  size: number;
  hasAlternatives: boolean;
}

const quantifier = /[*+?]|\{(\d+)(,?)(\d*)\}/uy;
const atom = /\\(?:[pPu]\{[^}]*\}|k<[^>]*>|.)|\[(?:\\.|[^\]\\])*\]|./suy;
const groupOpening = /\((?:\?(?:<?[=!]|<[^>]*>|[a-z-]*:))?/uy;

class PatternReader {
  readonly #pattern: string;
  #at = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  /** Ends: every turn takes at least one character. */
  read(): Sequence {
    const sequence = emptySequence();
    while (this.#at < this.#pattern.length) {
      const next = this.#pattern[this.#at];
      if (next === ")") break;
      if (next === "|") {
        this.#at += 1;
        sequence.hasAlternatives = true;
        sequence.factor += 1;
        continue;
      }
      this.#quantify(sequence, next === "(" ? this.#group() : this.#single());
    }
    return sequence;
  }

  #group(): Atom {
    this.#take(groupOpening);
    const group = this.read();
    this.#at += 1;
    return { source: undefined, group, isQuantified: false, isVariable: false };
  }

  #single(): Atom {
    const source = this.#take(atom)?.[0] ?? "";
    if (/^\\[1-9k]/u.test(source)) throw new PatternRefused("refers back to a group");
    return { source, group: undefined, isQuantified: false, isVariable: false };
  }

  #quantify(sequence: Sequence, taken: Atom): void {
    const { group } = taken;
    sequence.atoms.push(taken);
    const found = this.#take(quantifier);
    if (found !== undefined && this.#pattern[this.#at] === "?") this.#at += 1;
    const { least, most } = timesOf(found);
    taken.isQuantified = found !== undefined;
    taken.isVariable = least !== most;
    const inner = group ?? { order: 0, factor: 1, size: 1 };
    sequence.size += inner.size * Math.max(1, least, Number.isFinite(most) ? most : 1);
    if (most === Number.POSITIVE_INFINITY) {
      if (group !== undefined && !isPlain(group) && !isDivided(group)) {
        throw new PatternRefused("repeats a group without a bound that can match in several ways");
      }
      // Also when the group itself has a part without a bound: where one repetition ends is where
      // the next one begins, so that together they divide the text once.
      sequence.order += 1;
      sequence.factor *= inner.factor;
    } else {
      sequence.order += inner.order * most;
      sequence.factor *= inner.factor ** most * (most - least + 1);
    }
    const { order, factor, size } = sequence;
    if (factor > factorMax || order > orderMax || size > sizeMax) {
      throw new PatternRefused("can match in too many ways");
    }
  }

  #take(expression: RegExp): RegExpExecArray | undefined {
    expression.lastIndex = this.#at;
    const found = expression.exec(this.#pattern);
    if (found === null) return undefined;
    this.#at += found[0].length;
    return found;
  }
}

function emptySequence(): Sequence {
  return { atoms: [], order: 0, factor: 1, size: 0, hasAlternatives: false };
}

function timesOf(found: RegExpExecArray | undefined) {
  if (found === undefined) return { least: 1, most: 1 };
  const [text, least = "", comma, most] = found;
  if (text === "?") return { least: 0, most: 1 };
  if (text === "*") return { least: 0, most: Number.POSITIVE_INFINITY };
  if (text === "+") return { least: 1, most: Number.POSITIVE_INFINITY };
  if (comma === "") return { least: Number(least), most: Number(least) };
  return { least: Number(least), most: most ? Number(most) : Number.POSITIVE_INFINITY };
}

/** It can match a text in one way only. */
function isPlain({ order, factor }: Sequence): boolean {
  return order === 0 && factor === 1;
}

/**
 * Each repetition begins or ends with a character that nothing else in the group matches, as in
 * `(-[a-z]+)*`: there is one way to divide a text into repetitions. With at most one part of
 * variable length there is also one way to match each of them.
 */
function isDivided({ atoms, hasAlternatives }: Sequence): boolean {
  if (hasAlternatives || atoms.some(({ group }) => group !== undefined)) return false;
  if (atoms.filter(({ isVariable }) => isVariable).length > 1) return false;
  return [atoms[0], atoms.at(-1)].some((edge) => {
    const divider = edge && !edge.isQuantified ? literalOf(edge.source) : undefined;
    if (divider === undefined) return false;
    return atoms.every((other) => other === edge || !matches(other.source ?? "", divider));
  });
}

/** The character that an atom stands for, if it is a mark or a space of ASCII. */
function literalOf(source = ""): string | undefined {
  const found = /^(?:\\([^A-Za-z0-9])|([^A-Za-z0-9\\.^$[\](){}|*+?]))$/u.exec(source);
  const character = found?.[1] ?? found?.[2];
  return character !== undefined && character < "\u007f" && character >= " "
    ? character
    : undefined;
}

function matches(source: string, character: string): boolean {
  return new RegExp(`^(?:${source})$`, "u").test(character);
}
