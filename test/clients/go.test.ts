/** The Go section of docs/clients.md does what it says. */
import { expectOrderHeldAndFinished } from "./held-order.ts";
import { testWith } from "./toolchain.ts";

const testGo = await testWith("go version");

testGo("the generated Go client suspends, watches and gets an instance", () =>
  expectOrderHeldAndFinished("Go"),
);
