/** Something that the history must not say. */
export class WrongHistory extends Error {
  override readonly name = "WrongHistory";
}
