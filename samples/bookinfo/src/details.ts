import { jsonAnswer, type Route } from "./server.ts";

const FIRST_EDITION = {
  author: "William Shakespeare",
  year: 1595,
  type: "paperback",
  pages: 200,
  publisher: "PublisherA",
  language: "English",
  "ISBN-10": "1234567890",
  "ISBN-13": "123-1234567890",
};

// What a public book service says of this ISBN, kept here so that v2 needs no network.
const SECOND_EDITION = {
  author: "William Shakespeare",
  year: 2002,
  type: "paperback",
  pages: 64,
  publisher: "Courier Corporation",
  language: "English",
  "ISBN-10": "0486424618",
  "ISBN-13": "9780486424613",
};

/** The facts of a book. v1 has the play's first edition, v2 a modern one. */
export function detailsRoutes(version: string): Route[] {
  const details = version === "v2" ? SECOND_EDITION : FIRST_EDITION;
  return [
    { method: "GET", pattern: /^\/health$/, handle: () => jsonAnswer(200, { status: "Details is healthy" }) },
    {
      method: "GET",
      pattern: /^\/details(?:\/([^/]*))?$/,
      handle({ parameters: [id = ""] }) {
        if (!/^-?\d{1,15}$/.test(id)) return jsonAnswer(400, { error: "please provide numeric product id" });
        return jsonAnswer(200, { id: Number(id), ...details });
      },
    },
  ];
}
