// Searches in the site of the documentation, opened from a disk: node search_site.mjs FILE_URL WORDS. Prints what it saw, as JSON.
import { chromium } from "playwright-core";

const [url, words] = process.argv.slice(2);
const QUIET = ["--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", ...QUIET] });
try {
  const page = await browser.newPage({ viewport: { width: 420, height: 900 } });
  page.setDefaultTimeout(60_000);
  const seen = { foreign: [], complaints: [] };
  page.on("request", (request) => request.url().startsWith("file:") || request.url().startsWith("data:") || seen.foreign.push(request.url()));
  page.on("pageerror", (error) => seen.complaints.push(String(error)));
  await page.goto(url);
  seen.wider = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  await page.locator("label[for=__search].md-header__button").click();
  await page.locator(".md-search__input").pressSequentially(words);
  const found = page.locator(".md-search-result__link");
  await found.first().waitFor();
  const pages = await found.evaluateAll((links) => links.map((link) => new URL(link.href).pathname));
  seen.found = [...new Set(pages)];
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}
