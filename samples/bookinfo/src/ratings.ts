import { jsonAnswer, type Route } from "./server.ts";

/** Two reviewers' stars, from memory. */
export function ratingsRoutes(): Route[] {
  return [
    { method: "GET", pattern: /^\/health$/, handle: () => jsonAnswer(200, { status: "Ratings is healthy" }) },
    {
      method: "GET",
      pattern: /^\/ratings(?:\/([^/]*))?$/,
      handle({ parameters: [id = ""] }) {
        const number = Number.parseInt(id, 10);
        if (Number.isNaN(number)) return jsonAnswer(400, { error: "please provide numeric product ID" });
        return jsonAnswer(200, { id: number, ratings: { Reviewer1: 5, Reviewer2: 4 } });
      },
    },
  ];
}
