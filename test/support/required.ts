/**
 * What a test needs and this project does not bring: a compiler, a toolchain, a right. Where it is
 * missing the test is skipped, loudly; in CI that is an error, because there everything has to run.
 */

/**
 * Says in one loud line what is missing. Whoever calls it skips the test then: a test that returns
 * without having tested anything would count as one that has passed.
 *
 * @param missing a clause: `Go cannot be had: …`
 * @throws where everything is required
 */
export function tellMissing(missing: string): void {
  if (isEverythingRequired()) throw new Error(`${missing}, and CI needs it`);
  console.warn(`SKIPPED: ${missing}`);
}

/** Whether everything has to run here: `.ci/run` sets `CI`, as other machines for CI do. */
function isEverythingRequired(): boolean {
  const { CI = "" } = process.env;
  return !["", "0", "false"].includes(CI);
}
