import assert from "node:assert/strict";
import { test } from "node:test";
import { type ProductPage, renderIndexPage, renderProductPage } from "../../samples/bookinfo/src/page.ts";
import { PRODUCTS } from "../../samples/bookinfo/src/productpage.ts";

const page: ProductPage = {
  product: PRODUCTS[0],
  user: "",
  details: { status: 200, value: { id: 0, author: "William Shakespeare", pages: 200 } },
  reviews: { status: 200, value: { reviews: [{ reviewer: "Reviewer1", text: "Good." }] } },
};

function countOf(html: string, text: string): number {
  return html.split(text).length - 1;
}

test("a page without ratings shows reviews and no stars", () => {
  const html = renderProductPage(page);
  assert.match(html, /Good\./);
  assert.match(html, /William Shakespeare/);
  assert.equal(countOf(html, '<span class="glyphicon glyphicon-star'), 0);
  assert.doesNotMatch(html, /Error fetching/);
});

test("stars are glyphicons in a font of the version's colour", () => {
  const reviews = [
    { reviewer: "Reviewer1", text: "a", rating: { stars: 5, color: "red" } },
    { reviewer: "Reviewer2", text: "b", rating: { stars: 4, color: "red" } },
  ];
  const html = renderProductPage({ ...page, reviews: { status: 200, value: { reviews } } });
  assert.equal(countOf(html, '<span class="glyphicon glyphicon-star">'), 9);
  assert.equal(countOf(html, '<span class="glyphicon glyphicon-star-empty">'), 1);
  assert.equal(countOf(html, '<font color="red">'), 2);
});

test("a missing rating shows its error in the review's place", () => {
  const reviews = [{ reviewer: "Reviewer1", text: "a", rating: { error: "Ratings service is currently unavailable" } }];
  const html = renderProductPage({ ...page, reviews: { status: 200, value: { reviews } } });
  assert.match(html, /<i>Ratings service is currently unavailable<\/i>/);
  assert.doesNotMatch(html, /Error fetching/);
});

test("a failed part is named and the rest of the page stands", () => {
  const error = "Sorry, product reviews are currently unavailable for this book.";
  const html = renderProductPage({ ...page, reviews: { status: 503, value: { error } } });
  assert.match(html, /Error fetching product reviews!/);
  assert.match(html, /Sorry, product reviews are currently unavailable for this book\./);
  assert.match(html, /William Shakespeare/);
});

test("names from outside are escaped", () => {
  const html = renderProductPage({ ...page, user: "<script>alert('x')</script>" });
  assert.doesNotMatch(html, /<script>/);
  assert.match(html, /&#60;script&#62;alert\(&#39;x&#39;\)/);
});

test("the pages name no other host but the encyclopedia that they link to", () => {
  const html = renderIndexPage(PRODUCTS[0]) + renderProductPage({ ...page, user: "jason" });
  const urls = [...html.matchAll(/(?:src|href)="(https?:[^"]+)"/g)].map((match) => match[1]);
  assert.deepEqual([...new Set(urls)], ["https://en.wikipedia.org/wiki/The_Comedy_of_Errors"]);
});
