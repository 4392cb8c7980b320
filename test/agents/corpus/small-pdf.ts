/** @file PDFs of a few hundred bytes, written out: pages of text, one that is encrypted, one without text. */

export interface SmallPdfOptions {
  /** Encrypted with the standard handler, by keys that no password opens. */
  readonly encrypted?: boolean;
}

/** A page for each text; an empty text is an empty page. */
export function smallPdf(pages: readonly string[], { encrypted = false }: SmallPdfOptions = {}): Uint8Array {
  const font = 3;
  const pageAt = (i: number) => 4 + 2 * i;
  const kids = pages.map((_, i) => `${pageAt(i)} 0 R`).join(" ");
  const objects = [
    "<< /Type /Catalog /Pages 2 0 R >>",
    `<< /Type /Pages /Kids [${kids}] /Count ${pages.length} >>`,
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ...pages.flatMap((text, i) => {
      const content = text === "" ? "" : `BT /F1 12 Tf 72 720 Td (${text.replace(/[()\\]/g, "\\$&")}) Tj ET`;
      return [
        `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents ${pageAt(i) + 1} 0 R ` +
          `/Resources << /Font << /F1 ${font} 0 R >> >> >>`,
        `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
      ];
    }),
  ];
  const hex = (digit: string) => `<${digit.repeat(64)}>`;
  if (encrypted) objects.push(`<< /Filter /Standard /V 2 /R 3 /Length 128 /P -4 /O ${hex("a")} /U ${hex("b")} >>`);
  const id = encrypted ? ` /Encrypt ${objects.length} 0 R /ID [${hex("c")} ${hex("c")}]` : "";

  let body = "%PDF-1.4\n";
  const offsets = objects.map((object, i) => {
    const offset = body.length;
    body += `${i + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const entries = offsets.map((offset) => `${String(offset).padStart(10, "0")} 00000 n \n`).join("");
  const xref = `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${entries}`;
  const trailer = `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R${id} >>\nstartxref\n${body.length}\n%%EOF\n`;
  return new TextEncoder().encode(body + xref + trailer);
}
