/** The published Java SDK for all tests of a file. */
import { randomUUID } from "node:crypto";
import { findJava, type Java, JavaProgram } from "./java-program.ts";
import { type ProgramSuite, programSuite } from "./program-suite.ts";

/** @param area of test/interop/java/src/interop/Main.java */
export async function javaSuite(
  area: string,
  taskHub = `java-${randomUUID()}`,
): Promise<ProgramSuite<Java>> {
  return programSuite(
    await findJava(),
    (java, address) => new JavaProgram(java, area, address, taskHub),
    taskHub,
  );
}
