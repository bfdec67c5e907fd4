import { expect, it } from "vitest";
import { AcceptErrors } from "../../sidecar/rpc/listeners.ts";
import { FakeSteadyClock } from "../support/fake-clock.ts";

it("connections that cannot be accepted are told of once a second, with their number", () => {
  const clock = new FakeSteadyClock();
  const told: [unknown, number][] = [];
  const onAcceptError = (error: unknown, count: number) => told.push([error, count]);
  const errors = new AcceptErrors({ onAcceptError, clock });
  for (let at = 0; at < 10_000; at += 1) errors.add(at);
  expect(told).toEqual([[0, 1]]);
  clock.advance(999);
  errors.add("still");
  expect(told).toHaveLength(1);
  clock.advance(1);
  errors.add("again");
  expect(told).toEqual([
    [0, 1],
    ["again", 10_001],
  ]);
});
