// Reads, searches and tries the page as a person would: node visit.mjs URL PICTURE. Prints what it saw, as JSON.
import { chromium } from "playwright-core";

const [url, picture] = process.argv.slice(2);
const QUIET = ["--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const WAIT_MS = 60_000;

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", ...QUIET] });
try {
  const page = await browser.newPage({ viewport: { width: 1400, height: 1600 } });
  page.setDefaultTimeout(WAIT_MS);
  const seen = { requests: [], complaints: [] };
  page.on("request", (request) => seen.requests.push(`${request.method()} ${request.url()}`));
  page.on("pageerror", (error) => seen.complaints.push(String(error)));
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && seen.complaints.push(message.text()));

  const operations = () => page.locator(".opblock .opblock-summary-path").evaluateAll((found) => found.map((one) => one.dataset.path));
  await page.goto(`${url}/docs`);
  await page.locator(".opblock").first().waitFor();
  seen.operations = await operations();

  // A word that stands in a description alone, and one that stands in a summary.
  await page.locator(".operation-filter-input").fill("poisoned parked");
  await page.locator(".opblock").first().waitFor({ state: "detached" });
  await page.locator(".operation-filter-input").fill("stable STORAGE acknowledge");
  await page.locator(".opblock").first().waitFor();
  seen.found = await operations();

  await page.locator(".operation-filter-input").fill("append_batch");
  await page.locator("#operations-Append-append_batch").waitFor();
  await page.locator("#operations-Append-append_batch .opblock-summary-control").click();
  await page.getByRole("button", { name: "Try it out" }).click();
  await page.getByRole("button", { name: "Execute" }).click();
  const answer = page.locator(".live-responses-table .response");
  await answer.waitFor();
  seen.status = (await answer.locator(".response-col_status").innerText()).trim();
  seen.answer = await answer.locator(".microlight, code").first().innerText();
  await page.screenshot({ path: picture });

  // What the server has, for someone with a narrow window who likes it dark.
  const first = await browser.newPage({ viewport: { width: 360, height: 800 }, colorScheme: "dark" });
  first.setDefaultTimeout(WAIT_MS);
  first.on("pageerror", (error) => seen.complaints.push(String(error)));
  first.on("console", (message) => ["error", "warning"].includes(message.type()) && seen.complaints.push(message.text()));
  seen.overview_requests = [];
  first.on("request", (request) => seen.overview_requests.push(`${request.method()} ${request.url()}`));
  await first.goto(`${url}/`);
  seen.overview = await first.evaluate(() => ({
    is_cut: document.documentElement.scrollWidth > innerWidth,
    back: getComputedStyle(document.body).backgroundColor,
    headings: [...document.querySelectorAll("h2")].map((one) => one.innerText.trim()),
    names: [...document.querySelectorAll("bdi")].map((one) => one.innerText),
    elements: document.querySelectorAll("img, script").length,
  }));
  await first.getByRole("link", { name: "OpenAPI" }).click();
  await first.waitForURL("**/openapi.json");
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}
