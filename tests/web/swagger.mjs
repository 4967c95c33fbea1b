// Swagger UI in a browser, as somebody who sees it for the first time: opens it, authorises, runs a
// query, reads the rows. Nothing may be asked of another host, nothing may go wrong on the console, and
// our own parts of the pages must be accessible.
//
//   swagger.mjs URL TOKEN UI-SOURCES SCREENSHOTS
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import assert from 'node:assert/strict';

const [url, token, sources, shots] = process.argv.slice(2);
const require = createRequire(`${process.env.WEB_MODULES}/package.json`);
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core'), 'utf8');
const browserPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
const limit = 30000 * Number(process.env.SLOW ?? 1);

mkdirSync(shots, { recursive: true });
const browser = await chromium.launch({
  executablePath: browserPath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const context = await browser.newContext({ viewport: { width: 1280, height: 1000 } });
const page = await context.newPage();
page.setDefaultTimeout(limit);

const complaints = [];
page.on('console', (m) => { if (['error', 'warning'].includes(m.type())) complaints.push(m.text()); });
page.on('pageerror', (e) => complaints.push(String(e)));
page.on('requestfailed', (r) => complaints.push(`${r.url()}: ${r.failure()?.errorText}`));
page.on('request', (r) => {
  if (!r.url().startsWith(`${url}/`) && !r.url().startsWith('data:')) complaints.push(`asked ${r.url()}`);
});

// axe is put in by the browser's own tools, which the page's policy does not bind.
async function accessible(where, selector) {
  await page.evaluate(axe);
  const found = await page.evaluate((s) => axe.run(s ?? document), selector);
  const text = found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(' ')}`);
  assert.deepEqual(text, [], `${where} is not accessible`);
}

async function swagger() {
  await page.goto(`${url}/docs`);
  await page.waitForSelector('.opblock-tag');
  assert.equal(new URL(page.url()).pathname, '/swagger-ui');
  assert.match(await page.title(), /rustydb/);
  await page.screenshot({ path: `${shots}/swagger.png` });
  await accessible('the head of Swagger UI', 'header');

  await page.click('.btn.authorize');
  const bearer = page.locator('.auth-container', { hasText: 'bearer' });
  await bearer.locator('input').fill(token);
  await bearer.locator('button[type=submit]').click();
  await page.locator('.auth-container', { hasText: 'bearer' }).getByText('Logout').waitFor();
  await page.click('.btn-done');

  await page.click('#operations-tag-sql');
  const operation = page.locator('#operations-sql-runQuery');
  await operation.locator('.opblock-summary-control').click();
  await operation.locator('textarea').fill(JSON.stringify({
    sql: "SELECT 'from the browser' AS origin, 6 * 7 AS answer" }));
  await operation.locator('.btn.execute').click();
  const answer = operation.locator('.live-responses-table .response .response-col_description').first();
  await answer.getByText('from the browser').first().waitFor();
  assert.match(await operation.locator('.live-responses-table .response .response-col_status').first().innerText(), /200/);
  await answer.scrollIntoViewIfNeeded();
  await page.screenshot({ path: `${shots}/query.png` });

}

// The page of a daemon that was built without npm.
async function missing() {
  const html = readFileSync(`${sources}/missing.html`, 'utf8').replace('@PATH@', '/swagger-ui');
  await page.route('**/missing', (route) => route.fulfill({ contentType: 'text/html', body: html }));
  await page.goto(`${url}/missing`);
  assert.match(await page.innerText('main'), /npm/);
  await page.screenshot({ path: `${shots}/missing.png` });
  await accessible('the page without Swagger UI');
}

try {
  await swagger();
  await missing();
  assert.deepEqual(complaints, []);
} catch (e) {
  await page.screenshot({ path: `${shots}/failed.png` });
  throw e;
} finally {
  await browser.close();
}
