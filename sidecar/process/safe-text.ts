/** Texts of others, made safe for terminals and logs. */

/**
 * Characters that do something instead of being something: C0, DEL and C1 (escape sequences begin
 * with one of them), line separators, marks that turn the direction of writing around, and halves
 * of characters.
 */
const active = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}\ufeff]/gu;

const shortEscapes: ReadonlyMap<string, string> = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

/**
 * The text on one line and without anything that a terminal would obey: an id or a custom status
 * must not be able to move the cursor, colour the screen or hide what it says.
 */
export function escapeControls(text: string): string {
  return text.replace(
    active,
    (character) => shortEscapes.get(character) ?? unicodeEscape(character),
  );
}

/** As `escapeControls`, for JSON text: what it means stays the same, also its own line breaks. */
export function escapeJsonControls(json: string): string {
  return json.replace(active, (character) =>
    character === "\n" ? character : unicodeEscape(character),
  );
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
