/** The order of the records in a file, so that nothing is missing, doubled or in a wrong place. */
import type { BackupEntry, BackupHeader } from "../../wire/gen/taskhub/v1/backup_pb.ts";
import { damaged } from "./format.ts";

export class RecordOrder {
  #numbersEnd: bigint | undefined;
  #last: BackupEntry | undefined;
  #instances = 0;

  begin({ numbersEnd }: BackupHeader): void {
    if (this.#numbersEnd !== undefined) throw damaged("it has two headers");
    this.#numbersEnd = numbersEnd;
  }

  /**
   * @param where names the record in the error
   * @throws BackupRefused when it cannot follow the one before
   */
  add(entry: BackupEntry, where: string): void {
    const last = this.#last;
    if (this.#numbersEnd === undefined) throw damaged(`${where} stands before the header`);
    if (entry.number === 0n || entry.number >= this.#numbersEnd) {
      throw damaged(`${where} has an impossible storage number`);
    }
    if (last === undefined) {
      if (entry.instanceId !== "") throw damaged("the log of the hub is missing");
    } else if (last.instanceId === entry.instanceId) {
      const follows =
        entry.number === last.number &&
        entry.generation === last.generation &&
        entry.sequence === last.sequence + 1n;
      if (!follows) throw damaged(`${where} does not follow the one before it`);
    } else {
      if (compareIds(last.instanceId, entry.instanceId) >= 0) {
        throw damaged(`${where} is not in its place`);
      }
      this.#instances += 1;
    }
    this.#last = entry;
  }

  /** How many instances there were. @throws BackupRefused when there is not even a hub */
  end(): number {
    if (this.#last === undefined) throw damaged("the log of the hub is missing");
    return this.#instances;
  }
}

/** As the store orders them: by their bytes. */
function compareIds(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}
