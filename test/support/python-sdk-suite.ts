/** The published Python SDK for all tests of a file. */
import { type ProgramState, type ProgramSuite, programSuite } from "./program-suite.ts";
import { findPython, type Python, PythonProgram } from "./python-program.ts";

export type PythonState = ProgramState;

/** An event of a history: its type, and its fields under their names in Python. */
export interface PythonEvent {
  readonly type: string;
  readonly event_id: number;
  readonly timestamp: string;
  readonly [field: string]: unknown;
}

/** @param area a file of test/interop/python */
export async function pythonSuite(area: string): Promise<ProgramSuite<Python>> {
  return programSuite(
    await findPython(),
    (python, address) => new PythonProgram(python, area, address),
  );
}
