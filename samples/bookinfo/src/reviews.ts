import { forwardedHeaders } from "./headers.ts";
import { jsonAnswer, type Route } from "./server.ts";
import type { CallService } from "./service-client.ts";

export interface ReviewsOptions {
  /** v1 does not ask for ratings. */
  readonly ratingsEnabled: boolean;
  /** "black" (v2) or "red" (v3). */
  readonly starColor: string;
  /** host:port */
  readonly ratings: string;
  readonly call: CallService;
  log(text: string): void;
}

export type Rating = { readonly stars: number; readonly color: string } | { readonly error: string };

export interface Review {
  readonly reviewer: string;
  readonly text: string;
  readonly rating?: Rating;
}

const REVIEWS: readonly Review[] = [
  {
    reviewer: "Reviewer1",
    text: "An extremely entertaining play by Shakespeare. The slapstick humour is refreshing!",
  },
  {
    reviewer: "Reviewer2",
    text: "Absolutely fun and entertaining. The play lacks thematic depth when compared to other plays by Shakespeare.",
  },
];

/** How long a version waits for ratings: the black one is more patient than the page that asks it, on purpose. */
export function ratingsTimeoutMs(starColor: string): number {
  return starColor === "black" ? 10_000 : 2_500;
}

/** Two reviews of any book, with stars where the version shows them. */
export function reviewsRoutes(options: ReviewsOptions): Route[] {
  return [
    { method: "GET", pattern: /^\/health$/, handle: () => jsonAnswer(200, { status: "Reviews is healthy" }) },
    {
      method: "GET",
      pattern: /^\/reviews\/(\d{1,10})$/,
      async handle({ headers, parameters: [id = ""] }) {
        if (!options.ratingsEnabled) return jsonAnswer(200, { id, reviews: REVIEWS });
        const stars = await fetchStars(options, id, forwardedHeaders(headers, ["user-agent"]));
        const reviews = REVIEWS.map(
          (review): Review => ({ ...review, rating: rating(stars, review.reviewer, options.starColor) }),
        );
        return jsonAnswer(200, { id, reviews });
      },
    },
  ];
}

type Stars = Readonly<Record<string, unknown>>;

function rating(stars: Stars | undefined, reviewer: string, color: string): Rating {
  const count = stars !== undefined && Object.hasOwn(stars, reviewer) ? stars[reviewer] : undefined;
  return typeof count === "number" ? { stars: count, color } : { error: "Ratings service is currently unavailable" };
}

async function fetchStars(
  options: ReviewsOptions,
  id: string,
  headers: Record<string, string>,
): Promise<Stars | undefined> {
  try {
    const timeoutMs = ratingsTimeoutMs(options.starColor);
    const answer = await options.call(options.ratings, `/ratings/${id}`, headers, timeoutMs);
    if (answer.status !== 200) {
      options.log(`ratings answered ${answer.status}`);
      return undefined;
    }
    const { ratings } = JSON.parse(answer.body) as { ratings?: unknown };
    return typeof ratings === "object" && ratings !== null ? (ratings as Stars) : undefined;
  } catch (error) {
    options.log(`ratings did not answer: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
