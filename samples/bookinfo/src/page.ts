import type { Review } from "./reviews.ts";

export interface Product {
  readonly id: number;
  readonly title: string;
  /** Ours, and therefore not escaped. */
  readonly descriptionHtml: string;
}

export type Details = Readonly<Record<string, unknown>>;

export interface Reviews {
  readonly reviews: readonly Review[];
}

/** Another service's answer: its payload with status 200, else what to tell the user. */
export interface Fetched<T> {
  readonly status: number;
  readonly value: T | { readonly error: string };
}

export interface ProductPage {
  readonly product: Product;
  /** Empty when nobody is logged in. */
  readonly user: string;
  readonly details: Fetched<Details>;
  readonly reviews: Fetched<Reviews>;
}

const MAX_STARS = 5;

const STYLE = `
  :root { color-scheme: light; --ink: #22303c; --soft: #5b6b79; --line: #dfe5ea; --sea: #1d5c8a; --paper: #fbfaf7; }
  * { box-sizing: border-box; }
  body { margin: 0; font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
  header { display: flex; align-items: center; gap: 1rem; padding: .8rem 1.5rem; background: var(--ink); color: #fff; }
  header a { color: #cfe3f2; } header .brand { font-weight: 600; flex: 1; color: #fff; text-decoration: none; }
  form { display: flex; gap: .5rem; margin: 0; }
  input, button { font: inherit; padding: .3rem .7rem; border-radius: .4rem; border: 1px solid #8296a5; }
  button { background: var(--sea); color: #fff; border-color: var(--sea); cursor: pointer; }
  main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.5rem; }
  h1 { margin: 0 0 .5rem; font-family: Georgia, serif; } h2 { margin: 0 0 1rem; font-size: 1.1rem; color: var(--sea); }
  .columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); gap: 1.5rem; margin-top: 2rem; }
  section { background: #fff; border: 1px solid var(--line); border-radius: .7rem; padding: 1.3rem 1.5rem; }
  dl { display: grid; grid-template-columns: auto 1fr; gap: .35rem 1.2rem; margin: 0; } dt { color: var(--soft); } dd { margin: 0; }
  blockquote { margin: 0 0 1.3rem; padding-left: 1rem; border-left: 3px solid var(--line); } blockquote p { margin: 0; }
  small { color: var(--soft); } .error h2 { color: #a33a2a; } a { color: var(--sea); }
  .glyphicon-star::before { content: "\\2605"; } .glyphicon-star-empty::before { content: "\\2606"; }
  font { font-size: 1.25rem; letter-spacing: .1rem; }
`;

export function escapeHtml(text: unknown): string {
  return String(text).replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

export function renderIndexPage(product: Product): string {
  return layout(
    "Bookinfo",
    "",
    `<h1>Hello! This is Bookinfo, a small book shop in a mesh.</h1>
     <p>Four services make one page: the product page asks details and reviews; reviews asks ratings.</p>
     <p><a href="/productpage">${escapeHtml(product.title)}</a></p>
     <p><a href="/api/v1/products">The products as JSON</a></p>`,
  );
}

/** The page of a book. A part that could not be fetched shows why, the rest of the page stands. */
export function renderProductPage({ product, user, details, reviews }: ProductPage): string {
  return layout(
    product.title,
    loginBar(user),
    `<h1>${escapeHtml(product.title)}</h1>
     <p>Summary: ${product.descriptionHtml}</p>
     <div class="columns">
       ${renderPart("details", "Book Details", details, renderDetails)}
       ${renderPart("reviews", "Book Reviews", reviews, renderReviews)}
     </div>`,
  );
}

function layout(title: string, bar: string, main: string): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header><a class="brand" href="/productpage">Bookinfo Sample</a>${bar}</header>
<main>
${main}
</main>
</body>
</html>
`;
}

function loginBar(user: string): string {
  if (user !== "") return `<span>${escapeHtml(user)}</span> <a href="/logout">sign out</a>`;
  return `<form method="post" action="/login"><input name="username" placeholder="user name" aria-label="user name" required><button>Sign in</button></form>`;
}

function renderPart<T extends object>(
  name: string,
  title: string,
  part: Fetched<T>,
  render: (value: T) => string,
): string {
  if (part.status === 200) return `<section><h2>${title}</h2>${render(part.value as T)}</section>`;
  const { error } = part.value as { error: string };
  return `<section class="error"><h2>Error fetching product ${name}!</h2><p>${escapeHtml(error)}</p></section>`;
}

const DETAIL_LABELS: Readonly<Record<string, string>> = {
  type: "Type",
  pages: "Pages",
  publisher: "Publisher",
  language: "Language",
  "ISBN-10": "ISBN-10",
  "ISBN-13": "ISBN-13",
  author: "Author",
  year: "Year",
};

function renderDetails(details: Details): string {
  const rows = Object.entries(DETAIL_LABELS).filter(([field]) => details[field] !== undefined);
  return `<dl>${rows.map(([field, label]) => `<dt>${label}:</dt><dd>${escapeHtml(details[field])}</dd>`).join("")}</dl>`;
}

function renderReviews({ reviews }: Reviews): string {
  return reviews
    .map(
      (review) =>
        `<blockquote><p>${escapeHtml(review.text)}</p><small>${escapeHtml(review.reviewer)}</small>${renderRating(review)}</blockquote>`,
    )
    .join("\n");
}

function renderRating({ rating }: Review): string {
  if (rating === undefined) return "";
  if ("error" in rating) return `<p><i>${escapeHtml(rating.error)}</i></p>`;
  const full = Math.min(MAX_STARS, Math.max(0, Math.trunc(rating.stars)));
  const stars = '<span class="glyphicon glyphicon-star"></span>'.repeat(full);
  const empty = '<span class="glyphicon glyphicon-star-empty"></span>'.repeat(MAX_STARS - full);
  return `<p><font color="${escapeHtml(rating.color)}">${stars}${empty}</font></p>`;
}
