/** What a failed orchestration had asked of entities, in either encoding, is asked again if it must be. */
import { expect, it } from "vitest";
import { succeeded } from "../support/entity-results.ts";
import { openHub } from "../support/scheduler-harness.ts";
import { pastEvents } from "../support/worker.ts";
import { completed, failed, sendEvent } from "../support/worker-actions.ts";
import { rewind } from "./kit/rewinding.ts";

const guid = (last: number) => `0b8c1f5e-0000-4000-8000-00000000000${last}`;

it("an older call without an answer is forgotten, and what nobody waits for is not", async () => {
  await using hub = await openHub();
  const worker = hub.worker();
  await hub.start("a");
  const call = (id: number, entity: string, more: object) =>
    sendEvent(id, entity, "op", JSON.stringify({ op: "add", id: guid(id), ...more }));
  await worker.complete(await worker.turn("a"), [
    call(1, "@a@answered", {}),
    call(2, "@a@signalled", { signal: true }),
    call(3, "@a@waits", {}),
    sendEvent(4, "@a@none", "op", "no message"),
    sendEvent(5, "b", "op", JSON.stringify({ op: "add", id: guid(5) })),
  ]);
  await worker.answer(await worker.batch("@a@answered"), { results: [succeeded("1")] });
  await worker.complete(await worker.turn("a"), [failed("broken")]);
  await rewind(hub, "a");
  const turn = await worker.turn("a");
  expect(pastEvents(turn)).toContain(`eventRaised ${guid(1)}`);
  const sent = turn.request.pastEvents.flatMap(({ eventId, eventType: type }) =>
    type.case === "eventSent" ? [eventId] : [],
  );
  expect(sent).toEqual([1, 2, 4, 5]);
});

it("an older wish to lock without a grant is forgotten, and one with its grant is not", async () => {
  await using hub = await openHub();
  const worker = hub.worker();
  const wish = (id: number) => {
    const lockset = [{ name: "a", key: "b" }];
    return sendEvent(id, "@a@b", "op", JSON.stringify({ op: null, id: guid(id), lockset, pos: 0 }));
  };
  for (const id of ["first", "second"]) await hub.start(id);
  await worker.complete(await worker.turn("first"), [wish(1)]);
  await worker.complete(await worker.turn("second"), [wish(2)]);
  await hub.raise("second", "E");
  await worker.complete(await worker.turn("second"), [failed("broken")]);
  await rewind(hub, "second");
  const again = await worker.turn("second");
  expect(pastEvents(again)).not.toContain("eventSent");
  await worker.complete(again, [wish(2)]);
  await worker.complete(await worker.turn("first"), [completed()]);
  await worker.complete(await worker.turn("second"), [failed("broken")]);
  await rewind(hub, "second");
  expect(pastEvents(await worker.turn("second"))).toEqual(
    expect.arrayContaining(["eventSent", `eventRaised ${guid(2)}`]),
  );
});
