/**
 * Reads and rewrites scenario files.
 *
 * A file has paragraphs, divided by blank lines. A paragraph of comments begins a scenario: its
 * first line is the title. Every other paragraph is a step: comments, commands with their indented
 * details, a line `----`, and what the last command is expected to print. The commands before it
 * only lead there.
 */
export interface Scenario {
  readonly title: string;
  readonly heading: readonly string[];
  readonly steps: readonly ScenarioStep[];
}

export interface ScenarioStep {
  /** Everything before the line of dashes, as written. */
  readonly written: readonly string[];
  readonly commands: readonly ScenarioCommand[];
  readonly expected: readonly string[];
  /** In the file, from 1. */
  readonly line: number;
}

export interface ScenarioCommand {
  readonly command: string;
  readonly details: readonly string[];
}

const divider = "----";

export function readScenarios(text: string): readonly Scenario[] {
  const scenarios: { title: string; heading: readonly string[]; steps: ScenarioStep[] }[] = [];
  for (const { lines, start } of paragraphs(text)) {
    if (lines.every(isComment)) {
      scenarios.push({ title: lines[0]?.slice(1).trim() ?? "", heading: lines, steps: [] });
      continue;
    }
    const scenario = scenarios.at(-1);
    if (scenario === undefined) throw new Error("a scenario file begins with a title");
    scenario.steps.push(readStep(lines, start));
  }
  return scenarios;
}

/** The scenario as text, with `outputs` (one a step) in place of what is expected. */
export function writeScenario(
  scenario: Scenario,
  outputs: readonly (readonly string[])[] = scenario.steps.map(({ expected }) => expected),
): string {
  const parts = [scenario.heading.join("\n")];
  for (const [index, { written }] of scenario.steps.entries()) {
    parts.push([...written, divider, ...(outputs[index] ?? [])].join("\n"));
  }
  return parts.join("\n\n");
}

function readStep(lines: readonly string[], start: number): ScenarioStep {
  const at = lines.indexOf(divider);
  const written = at === -1 ? lines : lines.slice(0, at);
  const expected = at === -1 ? [] : lines.slice(at + 1);
  return { written, commands: readCommands(written), expected, line: start };
}

function readCommands(written: readonly string[]): readonly ScenarioCommand[] {
  const commands: { command: string; details: string[] }[] = [];
  for (const line of written) {
    if (isComment(line)) continue;
    if (line.startsWith(" ")) commands.at(-1)?.details.push(line.trim());
    else commands.push({ command: line, details: [] });
  }
  return commands;
}

function paragraphs(text: string) {
  const found: { readonly lines: string[]; readonly start: number }[] = [];
  let open = false;
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") {
      open = false;
      continue;
    }
    if (open) found.at(-1)?.lines.push(line);
    else found.push({ lines: [line], start: index + 1 });
    open = true;
  }
  return found;
}

function isComment(line: string): boolean {
  return line.startsWith("#");
}
