// Chromium from this machine, and a page that remembers everything that went wrong on it.

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

function program() {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const found = NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
  if (!found) throw new Error('no Chromium on the PATH: scripts/need-browser installs it');
  return found;
}

/** Headless, with a fresh user data folder that Playwright makes and removes. */
export function launch() {
  return chromium.launch({ executablePath: program(), headless: true, args: FLAGS });
}

/**
 * Opens the address in a window of this width. `faults` grows with each console error, uncaught exception and violation
 * of the content security policy; a refused request is one of them ("400 /api/v1/tickets").
 */
export async function open(browser, url, width = 1200) {
  const context = await browser.newContext({ viewport: { width, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const faults = [];
  await page.exposeFunction('reportViolation', (text) => faults.push(`CSP: ${text}`));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      window.reportViolation(`${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  page.on('pageerror', (error) => faults.push(`exception: ${error}`));
  page.on('console', (message) => {
    if (message.type() !== 'error') return;
    const status = /^Failed to load resource: .* status of (\d+)/.exec(message.text())?.[1];
    faults.push(status ? `${status} ${new URL(message.location().url).pathname}` : `console: ${message.text()}`);
  });
  page.on('requestfailed', (request) => {
    // A page that is left or a newer filter abandons its requests.
    if (request.failure()?.errorText !== 'net::ERR_ABORTED') faults.push(`failed: ${request.url()}`);
  });
  await page.goto(url);
  return { page, faults };
}

/** Waits until `read` gives `wanted`; fails with what it gave last. */
export async function eventually(read, wanted, assert) {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const got = await read();
    try {
      return assert.deepEqual(got, wanted);
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await new Promise((next) => setTimeout(next, 20));
  }
}
