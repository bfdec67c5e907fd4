/** What may stand behind `--listen` and `--address`. */
import { BlockList, isIP } from "node:net";
import { EXIT, ExitError } from "./exit-codes.ts";

/** A host and a port as written. Without a host, this machine is meant. */
export interface WrittenAddress {
  readonly host: string | undefined;
  readonly port: number;
}

/** Where to listen. */
export type ListenTarget =
  /** Both loopback addresses: `localhost` is 127.0.0.1 for one program and ::1 for the next. */
  | { readonly kind: "localhost"; readonly port: number }
  | { readonly kind: "address"; readonly host: string; readonly port: number };

const portMax = 65_535;

const addressPattern = /^(?:(?<host>[^[\]:]*|\[(?<bracketed>[^[\]]*)\]):)?(?<port>\d{1,5})$/;

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** @throws ExitError 64 when it is not PORT, HOST:PORT or [IPV6]:PORT */
export function parseAddress(text: string): WrittenAddress {
  const parts = addressPattern.exec(text)?.groups;
  const port = Number(parts?.port);
  if (parts === undefined || port > portMax) {
    throw new ExitError(
      EXIT.usage,
      `${JSON.stringify(text)} is not PORT, HOST:PORT or [IPV6]:PORT with a port up to ${portMax}`,
    );
  }
  return { host: parts.bracketed ?? parts.host, port };
}

/**
 * Where to listen: `4001`, `localhost:4001`, `127.0.0.1:4001`, `[::1]:4001`. Port 0 takes a free
 * one.
 *
 * @throws ExitError as `parseAddress`; 78 when others than this machine could connect
 */
export function parseListenTarget(text: string): ListenTarget {
  const { host, port } = parseAddress(text);
  if (host === undefined || host === "localhost") return { kind: "localhost", port };
  if (isLoopback(host)) return { kind: "address", host, port };
  throw new ExitError(
    EXIT.config,
    `${JSON.stringify(text)} is not a loopback address, and there is no authentication yet: ` +
      `use localhost:${port} and run the sidecar in the network namespace of the application`,
  );
}

/** Something that `parseAddress` reads back. */
export function showListenTarget(target: ListenTarget): string {
  return target.kind === "localhost" ? `localhost:${target.port}` : showAddress(target);
}

/** `host:port`, with brackets where they are needed. */
export function showAddress({ host, port }: { host: string; port: number }): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function isLoopback(host: string): boolean {
  switch (isIP(host)) {
    case 4:
      return loopback.check(host, "ipv4");
    case 6:
      return loopback.check(host, "ipv6");
    default:
      // A name is whatever the resolver says today.
      return false;
  }
}
