import { goSuite } from "../support/go-sdk-suite.ts";

const { cannot } = await goSuite("restart");
const noRestart = "its client has no restart";

cannot(
  "a completed orchestration that is restarted under its id runs again with its input",
  noRestart,
);
cannot("a restart under a new id leaves a running orchestration as it is", noRestart);
cannot("a restarted orchestration has the tags and the version of its source", noRestart);
cannot("a running or suspended orchestration is not restarted under its id", noRestart);
cannot("restarting an unknown instance is refused", noRestart);
