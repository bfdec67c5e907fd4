/**
 * Who may ask over HTTP/1.1. A web page can make the browser of its visitor send requests to any
 * address that the visitor reaches, this machine included: pages of other origins are refused, and
 * so are pages that had their own host name point here (DNS rebinding).
 */
import { BlockList, isIP } from "node:net";

/** What the decision rests on: values of request headers, undefined where one is absent. */
export interface RequestOrigin {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** `Sec-Fetch-Site` */
  readonly fetchSite: string | undefined;
}

/** A name or address with or without a port. No user, no path: those hide another host. */
const hostPattern = /^(?<host>\[[\da-f:.]+\]|[\w.-]+)(?::\d{1,5})?$/i;

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/**
 * Why a request is refused, in words for its sender; undefined if it may pass.
 *
 * @param toLoopback whether it came in where only this machine can connect: then a host that is not
 * this machine's can only be the name of a page
 */
export function originRefusal(request: RequestOrigin, toLoopback: boolean): string | undefined {
  const { host, origin, fetchSite } = request;
  const name = hostPattern.exec(host ?? "")?.groups?.host;
  if (host === undefined || name === undefined) return "the Host header names no host";
  if (toLoopback && !isLoopbackHost(name)) {
    return "the Host header must be localhost or a loopback address";
  }
  // Sent by browsers only, and not to be set by pages.
  if (fetchSite === "cross-site") return "requests of other sites are refused";
  if (origin !== undefined && !isOriginOf(origin, host)) {
    return "requests of other origins are refused";
  }
  return undefined;
}

/** Whether only this machine can connect to an address. */
export function isLoopbackAddress(address: string): boolean {
  const version = isIP(address);
  return version !== 0 && loopback.check(address, version === 4 ? "ipv4" : "ipv6");
}

function isLoopbackHost(name: string): boolean {
  if (name.toLowerCase() === "localhost") return true;
  return isLoopbackAddress(name.startsWith("[") ? name.slice(1, -1) : name);
}

/** Ports that are the default of the scheme may be written or not. */
function isOriginOf(origin: string, host: string): boolean {
  const scheme = /^https?:(?=\/\/)/i.exec(origin)?.[0];
  if (scheme === undefined || !URL.canParse(origin)) return false;
  const own = `${scheme}//${host}`;
  return URL.canParse(own) && new URL(own).host === new URL(origin).host;
}
