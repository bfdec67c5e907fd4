/**
 * Page tokens of every list with bits flipped, cut, stretched, spliced and mixed up: each is refused as
 * what it is, or gives a page of the caller's own hub. So are resume tokens, which nothing seals.
 *
 * `SEED=… npx vitest run test/rpc/hostile/page-tokens` repeats a run.
 */
import { describe, expect, it } from "vitest";
import { failureOf, inHub } from "../../support/compat-world.ts";
import { succeeded } from "../../support/entity-results.ts";
import { transports } from "../../support/rpc-harness.ts";
import { openV1, type V1World } from "../../support/v1-world.ts";
import { completed } from "../../support/worker-actions.ts";
import { damaged, type Random, seededRandom } from "./damage.ts";

const [{ serve }] = transports as [(typeof transports)[number]];
const SEED = Number(process.env.SEED ?? 20_261_122);
const ROUNDS = Number(process.env.RUNS ?? 150);

interface Page {
  readonly ids: readonly string[];
  readonly next: string;
}

/** A list that goes on with a token. */
type List = (world: V1World, token: string, hub: string, pageSize: number) => Promise<Page>;

const lists: Readonly<Record<string, List>> = {
  async QueryInstances({ client }, continuationToken, hub, maxInstanceCount) {
    const query = { continuationToken, maxInstanceCount };
    const answer = await client.queryInstances({ query }, inHub(hub));
    const ids = answer.orchestrationState.map(({ instanceId }) => instanceId);
    return { ids, next: answer.continuationToken ?? "" };
  },
  async "QueryInstances with a filter"({ client }, continuationToken, hub, maxInstanceCount) {
    const query = { continuationToken, maxInstanceCount, instanceIdPrefix: hub };
    const answer = await client.queryInstances({ query }, inHub(hub));
    const ids = answer.orchestrationState.map(({ instanceId }) => instanceId);
    return { ids, next: answer.continuationToken ?? "" };
  },
  async ListInstanceIds({ client }, lastInstanceKey, hub, pageSize) {
    const answer = await client.listInstanceIds({ lastInstanceKey, pageSize }, inHub(hub));
    return { ids: answer.instanceIds, next: answer.lastInstanceKey ?? "" };
  },
  async QueryEntities({ client }, continuationToken, hub, pageSize) {
    const query = { continuationToken, pageSize };
    const answer = await client.queryEntities({ query }, inHub(hub));
    const ids = answer.entities.map(({ instanceId }) => instanceId);
    return { ids, next: answer.continuationToken ?? "" };
  },
  async "taskhub.v1 QueryInstances"({ v1 }, pageToken, hub, pageSize) {
    const answer = await v1.queryInstances({ pageToken, pageSize }, inHub(hub));
    return {
      ids: answer.instances.map(({ instanceId }) => instanceId),
      next: answer.nextPageToken,
    };
  },
  async "taskhub.v1 ListSuspensions"({ v1 }, pageToken, hub, pageSize) {
    const answer = await v1.listSuspensions({ pageToken, pageSize }, inHub(hub));
    return {
      ids: answer.suspensions.map(({ instanceId }) => instanceId),
      next: answer.nextPageToken,
    };
  },
};

/** Two hubs with some of everything that is listed; ids say which hub they are of. */
async function openWorld(): Promise<V1World> {
  const world = await openV1(serve);
  const { client, hub: sidecar } = world;
  for (const hub of ["mine", "theirs"]) {
    await using worker = await world.worker({ hub });
    for (let at = 0; at < 4; at += 1) {
      await client.startInstance({ instanceId: `${hub}-ended-${at}`, name: "Main" }, inHub(hub));
      await worker.complete(await worker.turn(), [completed()]);
      await client.signalEntity({ instanceId: `@${hub}@${at}`, name: "set" }, inHub(hub));
      await worker.answer(await worker.batch(), { results: [succeeded()], entityState: "1" });
      const held = { instanceId: `${hub}-held-${at}` };
      await client.startInstance({ ...held, name: "Main" }, inHub(hub));
      await client.suspendInstance(held, inHub(hub));
      await sidecar.pass(1_000);
    }
  }
  return world;
}

/** What may have become of a token: bytes and characters changed, moved, lost, added or mixed. */
function forged(token: string, others: readonly string[], random: Random): string {
  const bytes = Buffer.from(token, "base64url");
  switch (random.below(6)) {
    case 0: {
      const at = random.below(bytes.byteLength);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      return bytes.toString("base64url");
    }
    case 1:
      return damaged(bytes, random).toString("base64url");
    case 2:
      return damaged(Buffer.from(token), random).toString("latin1");
    case 3: {
      const other = Buffer.from(random.pick(others), "base64url");
      const at = random.below(bytes.byteLength);
      return Buffer.concat([bytes.subarray(0, at), other.subarray(at)]).toString("base64url");
    }
    case 4:
      return random.pick(others);
    default:
      return random.pick([
        `${token}=`,
        ` ${token}`,
        token.repeat(9),
        token.toLowerCase(),
        "AA",
        "🎉",
      ]);
  }
}

async function secondPages(world: V1World, hub: string) {
  const all: [string, string][] = [];
  for (const [name, list] of Object.entries(lists)) {
    all.push([name, (await list(world, "", hub, 2)).next]);
  }
  return new Map(all);
}

describe("a page token", () => {
  it("of each list leads on in its own hub, with any page size", async () => {
    await using world = await openWorld();
    for (const [name, token] of await secondPages(world, "mine")) {
      const list = lists[name] ?? expect.fail(name);
      // Our own service refuses what is no size.
      const negative = name.startsWith("taskhub.v1") ? [] : [-(2 ** 31), -1];
      for (const size of [...negative, 0, 1, 2 ** 31 - 1]) {
        const { ids } = await list(world, token, "mine", size);
        expect(ids.length, name).toBeGreaterThan(0);
        expect(ids.filter((id) => !id.includes("mine"))).toEqual([]);
      }
    }
  });

  it("that was forged is refused by all lists, and shows nobody anything", async () => {
    await using world = await openWorld();
    const random = seededRandom(SEED);
    const mine = await secondPages(world, "mine");
    const theirs = await secondPages(world, "theirs");
    const { written } = await world.facts();
    for (const [name, token] of mine) {
      const list = lists[name] ?? expect.fail(name);
      const others = [...mine.values(), ...theirs.values()].filter((other) => other !== token);
      for (let round = 0; round < ROUNDS; round += 1) {
        const tried = forged(token, others, random);
        // Damage may leave it as it is, and no token is the first page.
        if (tried === token || tried === "") continue;
        const { code, message } = await failureOf(list(world, tried, "mine", 2));
        expect({ name, tried, code, message }).toEqual({
          name,
          tried,
          code: "InvalidArgument",
          message: expect.stringMatching(/^the page token (is not one|belongs to another)/),
        });
      }
    }
    expect((await world.facts()).written).toBe(written);
    expect(world.internalErrors).toEqual([]);
  });
});

describe("a resume token", () => {
  it("that was forged begins a watch anew, or goes on in its own hub", async () => {
    await using world = await openWorld();
    const { v1 } = world;
    const random = seededRandom(SEED);
    const watches = {
      one: (resumeToken: string, signal: AbortSignal) =>
        v1.watchInstance({ instanceId: "mine-held-1", resumeToken }, { ...inHub("mine"), signal }),
      all: (resumeToken: string, signal: AbortSignal) =>
        v1.watchInstances({ resumeToken }, { ...inHub("mine"), signal }),
    };
    /** What a watch shows until nothing more comes. */
    const shown = async (watch: (typeof watches)["one" | "all"], token: string) => {
      const call = new AbortController();
      const answers: { resumeToken: string; text: string }[] = [];
      const over = (async () => {
        for await (const answer of watch(token, call.signal)) {
          const text = JSON.stringify(answer, (_key, value: unknown) =>
            typeof value === "bigint" ? String(value) : value,
          );
          answers.push({ resumeToken: answer.resumeToken, text });
        }
      })().catch((error: unknown) => error);
      await world.hub.settled();
      call.abort();
      expect(String(await over)).toMatch(/^undefined$|abort|cancel|longer than/i);
      return answers;
    };
    for (const watch of Object.values(watches)) {
      const first = await shown(watch, "");
      const tokens = first.map(({ resumeToken }) => resumeToken).filter((token) => token !== "");
      const token = tokens.at(-1) ?? expect.fail("no token");
      for (let round = 0; round < ROUNDS / 3; round += 1) {
        const answers = await shown(watch, forged(token, [...tokens, "AAAA"], random));
        expect(answers.filter(({ text }) => text.includes("theirs"))).toEqual([]);
      }
    }
    expect(world.internalErrors).toEqual([]);
  });
});
