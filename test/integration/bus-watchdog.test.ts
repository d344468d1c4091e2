import assert from "node:assert/strict";
import { test } from "node:test";
import { Child, eventually } from "../harness/index.ts";

/** Compiled beside this file, or run from the sources. */
const moduleUrl = (path: string) =>
  new URL(`../../shared/${path}/index${import.meta.url.slice(-3)}`, import.meta.url).href;

test("a process whose event loop hangs is killed", async () => {
  const program = `
    import { EventLoopWatchdog } from ${JSON.stringify(moduleUrl("bus"))};
    import { systemClock } from ${JSON.stringify(moduleUrl("base"))};
    new EventLoopWatchdog({ clock: systemClock, limitMs: 300 });
    setTimeout(() => { console.log("hanging"); for (;;); }, 600);`;
  const child = new Child(process.execPath, ["--input-type=module", "-e", program]);
  await child.waitFor(/hanging/);
  await eventually(() => !child.running, { withinMs: 3_000 });
  assert.equal(child.process.signalCode, "SIGKILL");
  assert.match(child.output, /event loop hangs/);
});

test("a process that turns is left alone, however busily, and one whose watchdog has stopped in any case", async () => {
  const program = `
    import { EventLoopWatchdog } from ${JSON.stringify(moduleUrl("bus"))};
    import { systemClock } from ${JSON.stringify(moduleUrl("base"))};
    const busy = (ms) => { for (const end = performance.now() + ms; performance.now() < end; ); };
    const watchdog = new EventLoopWatchdog({ clock: systemClock, limitMs: 500 });
    for (const end = performance.now() + 1_500; performance.now() < end; ) {
      busy(20);
      await new Promise((resolve) => setTimeout(resolve));
    }
    await watchdog.stop();
    busy(1_500);
    console.log("alive");`;
  const child = new Child(process.execPath, ["--input-type=module", "-e", program]);
  await child.waitFor(/alive/);
  await eventually(() => !child.running);
  assert.equal(child.process.exitCode, 0);
});
