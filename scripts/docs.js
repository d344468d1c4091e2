// `npm run docs`: writes the tables of the pages in docs/ that are made from code.
import { build } from "./build.js";

build();
await import("../dist/test/docs/main.js");
