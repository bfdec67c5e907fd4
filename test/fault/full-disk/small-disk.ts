/** A small disk of its own: a tmpfs that only the sidecar sees, made without any right. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { tellMissing } from "../../support/required.ts";
import { type Command, run } from "../../support/sidecar-process.ts";

export interface SmallDiskOptions {
  /** An empty directory, or one that is not there yet. */
  readonly path: string;
  readonly bytes: number;
  /** How many files and directories; many if not given. */
  readonly inodes?: number;
}

export class SmallDisk implements AsyncDisposable {
  readonly path: string;
  /** Runs its arguments where the disk is. */
  readonly wrapper: Command;
  readonly #keeper: ChildProcess;

  private constructor(path: string, keeper: ChildProcess) {
    this.path = path;
    this.#keeper = keeper;
    const pid = String(keeper.pid);
    this.wrapper = ["nsenter", "--preserve-credentials", "-U", "-m", "-t", pid, "--"];
  }

  /** @returns undefined where nobody may make namespaces; in CI that is an error */
  static async mount({ path, bytes, inodes }: SmallDiskOptions): Promise<SmallDisk | undefined> {
    await mkdir(path, { recursive: true });
    const limits = `size=${bytes}${inodes === undefined ? "" : `,nr_inodes=${inodes}`}`;
    // The disk is there as long as this process.
    const script = 'mount -t tmpfs -o "$1" tmpfs "$2" && echo mounted && exec cat';
    const args = ["-Urm", "--", "/bin/sh", "-c", script, "sh", limits, path];
    const keeper = spawn("unshare", args, { stdio: ["pipe", "pipe", "pipe"] });
    let complaint = "";
    keeper.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint += text;
    });
    keeper.on("error", (error) => {
      complaint += String(error);
    });
    const mounted = once(keeper.stdout, "data").then(() => true);
    const gone = Promise.race([once(keeper, "close"), once(keeper, "error")]).then(() => false);
    if (await Promise.race([mounted, gone.catch(() => false)])) return new SmallDisk(path, keeper);
    tellMissing(
      `nothing of a full disk, as unshare -Urm and mount are refused: ${complaint.trim()}`,
    );
    return undefined;
  }

  /** Leaves room for nothing; `keep` bytes less if given. */
  async fill(keep = 0): Promise<void> {
    await this.#sh(`
      cd "${this.path}"
      dd if=/dev/zero of=filler bs=4096 2> /dev/null
      ${keep > 0 ? `truncate -s -${keep} filler` : ""}`);
  }

  /** Takes away what `fill` and `fillInodes` have put there. */
  async free(): Promise<void> {
    await this.#sh(`rm -rf "${this.path}/filler" "${this.path}/fillers"`);
  }

  /** Leaves not one more file. Each takes a page as well, so that `free` can be noticed. */
  async fillInodes(): Promise<void> {
    await this.#sh(`
      mkdir "${this.path}/fillers" && cd "${this.path}/fillers"
      i=0; while (echo $i > $i) 2> /dev/null; do i=$((i+1)); done`);
  }

  async remount(how: "ro" | "rw"): Promise<void> {
    await this.#sh(`mount -o remount,${how} "${this.path}"`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#keeper.kill("SIGKILL");
    if (this.#keeper.exitCode === null && this.#keeper.signalCode === null) {
      await once(this.#keeper, "close");
    }
  }

  async #sh(script: string): Promise<void> {
    const { end, stderr } = await run([...this.wrapper, "/bin/sh", "-c", `${script}\ntrue`]);
    if (end !== 0 || stderr !== "") throw new Error(`${script}: ${end} ${stderr}`);
  }
}
