/** Arguments in, exit code out. */
import { outputWritten, processSurroundings } from "./process/cli/process-surroundings.ts";
import { runProgram } from "./process/cli/program.ts";

const exitCode = await runProgram(process.argv.slice(2), processSurroundings(process.env));
await outputWritten();
// At once: after a failure, nothing that is still pending may go on.
process.exit(exitCode);
