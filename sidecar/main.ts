/** Arguments in, exit code out. */
import { runProgram } from "./process/cli/program.ts";

const exitCode = await runProgram(process.argv.slice(2), {
  environment: process.env,
  workingDirectory: process.cwd(),
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
});
// At once: after a failure, nothing that is still pending may go on.
process.exit(exitCode);
