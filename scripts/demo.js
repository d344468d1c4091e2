// `npm run demo [-- --check]`: set-up, build, then the launcher in this very process, so that no wrapper has to
// pass signals on.
import { build } from "./build.js";
import { setup } from "./setup.js";

setup();
build();
process.setSourceMapsEnabled(true);
await import("../dist/samples/bookinfo/demo/main.js");
