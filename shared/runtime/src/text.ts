/** Control characters but for tab and newline, the other line breaks, and the marks that turn the direction of writing. */
const CONTROL = /(?![\t\n])[\p{Control}\p{Bidi_Control}\p{Line_Separator}\p{Paragraph_Separator}]/gu;

/** `text` with control characters as \uXXXX, so that it cannot steer a terminal. JSON stays the same JSON. */
export function printable(text: string): string {
  return text.replace(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
