// Links WhatsApp Web in a profile of another tool, as a bot of that tool would: the tool starts the browser.
// node tool_profile.mjs MODULES puppeteer-core|playwright-core CHROMIUM FOLDER [ARGUMENT...]
// Says "qr" once a code is on show, "ready" once the chats are there; closes at the end of stdin.
import { createRequire } from "node:module";

const [modules, tool, executablePath, folder, ...args] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const say = (word) => process.stdout.write(`${word}\n`);

async function open() {
  if (tool === "puppeteer-core") {
    const browser = await require(tool).launch({ executablePath, userDataDir: folder, headless: true, args });
    return [(await browser.pages())[0], browser];
  }
  const context = await require(tool).chromium.launchPersistentContext(folder, { executablePath, args });
  return [context.pages()[0], context];
}

const [page, browser] = await open();
await page.goto("https://web.whatsapp.com/");
// Playwright waits for what can be seen; puppeteer takes what is there, and no such option.
const there = { state: "attached" };
const shown = await page.waitForSelector("div[data-ref], #pane-side", there);
if (await shown.evaluate((one) => one.id !== "pane-side")) say("qr");
await page.waitForSelector("#pane-side", there);
say("ready");
for await (const _ of process.stdin);
await browser.close();
