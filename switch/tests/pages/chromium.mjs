// A real Chromium for the tests: launched as the machine has it, with every page's complaints written down.
//
// A complaint is anything the console shows as an error, an exception that nobody caught, or a request that failed.
// What it refuses to know: the pages. They are played in pages.test.mjs.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const SHOTS = process.env.SHOTS_DIR;

export const PHONE = { width: 360, height: 740 };
export const DESK = { width: 1280, height: 800 };

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
}

/** A tab of its own, with its own storage; `complaints` grows with each error. */
export async function tab(browser, url, { viewport = DESK, colorScheme = "light" } = {}) {
  const context = await browser.newContext({ viewport, colorScheme, locale: "en-GB" });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.setDefaultTimeout(15_000);
  await page.goto(url);
  return { page, context, complaints };
}

/** Keeps a picture where SHOTS_DIR says; without it, none. */
export async function shot(page, name, { fullPage = true } = {}) {
  if (!SHOTS) return;
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage });
}

/** Whether something sticks out to the right: nobody scrolls sideways on a phone. */
export function tooWide(page) {
  return page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
}
