// The page at /docs, as somebody who reads the API on it and tries requests.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually, launch, open } from './browser.js';
import { copyOfHelpdesk, dev } from './server.js';

// Of all paths below /api, the one that is there whatever the database has.
const BATCH = '/api/v1/batch';

describe('docs', () => {
  let server, browser, page, faults, token;

  before(async () => {
    server = await dev(copyOfHelpdesk());
    browser = await launch();
    ({ page, faults } = await open(browser, `${server.url}/docs`));
    const body = JSON.stringify({ user: 'alice@acme.example' });
    const signedIn = await fetch(`${server.url}/dev/token`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    token = (await signedIn.json()).data.access_token;
  });
  after(async () => {
    await browser?.close();
    if (server) assert.equal(await server.stop(), 0, 'stops cleanly');
  });

  const paths = () => page.locator('summary .path').allTextContents();
  const is = (read, wanted) => eventually(read, wanted, assert);
  /** Opens an operation; its form. */
  const operation = async (id) => {
    const found = page.locator(`details[id="${id}"]`);
    if ((await found.getAttribute('open')) === null) await found.locator('> summary').click();
    return found.locator('form');
  };

  test('shows who is not signed in nothing of what is for others', async () => {
    await is(() => page.textContent('#title'), 'helpdesk API');
    assert.deepEqual((await paths()).filter((path) => path.startsWith('/api/')), [BATCH]);
    assert.deepEqual(faults.splice(0), []);
  });

  test('shows the operations of a user whose token is entered', async () => {
    await page.fill('#token', token);
    await page.press('#token', 'Enter');
    await page.waitForSelector('details[id="tickets.list"]');
    const all = await paths();
    for (const path of ['/api/v1/tickets', '/api/v1/tickets/{id}', '/api/v1/rpc/ticket_counts']) assert.ok(all.includes(path), path);
    assert.deepEqual(faults.splice(0), []);
  });

  test('lists and creates, and shows what was refused', async () => {
    const list = await operation('tickets.list');
    await list.locator('[name=limit]').fill('2');
    await list.locator('[name=status]').fill('eq.open');
    await list.locator('button[type=submit]').click();
    await is(() => list.locator('.status').textContent().then((text) => text.slice(0, 3)), '200');
    assert.equal(JSON.parse(await list.locator('.answer .text').textContent()).data.length, 2);

    const create = await operation('tickets.create');
    const example = JSON.parse(await create.locator('[name=body]').inputValue());
    assert.deepEqual(Object.keys(example).sort(), ['organization_id', 'title']);
    await create.locator('button[type=submit]').click();
    await is(() => create.locator('.status').textContent().then((text) => text.slice(0, 3)), '201');
    await create.locator('[name=body]').fill('{"organization_id": 1, "title": "<img src=x onerror=alert(1)>", "priority": 9}');
    await create.locator('button[type=submit]').click();
    await is(() => create.locator('.status').textContent().then((text) => text.slice(0, 3)), '400');
    const refused = JSON.parse(await create.locator('.answer .text').textContent());
    assert.deepEqual(refused.details, { priority: ['must be between 1 and 5'] });
    assert.deepEqual(faults.splice(0), ['400 /api/v1/tickets']);
  });

  test('shows what is stored as text, never as markup', async () => {
    const create = await operation('tickets.create');
    await create.locator('[name=body]').fill('{"organization_id": 1, "title": "<img src=x onerror=alert(1)>"}');
    await create.locator('button[type=submit]').click();
    await is(() => create.locator('.status').textContent().then((text) => text.slice(0, 3)), '201');
    assert.match(await create.locator('.answer .text').textContent(), /<img src=x onerror=alert\(1\)>/);
    assert.equal(await page.locator('#operations img').count(), 0);
    assert.deepEqual(faults.splice(0), []);
  });

  test('searches', async () => {
    await page.fill('#search', 'comments post');
    await is(async () => (await paths()).every((path) => path.endsWith('/comments')), true);
    await page.fill('#search', '');
    assert.deepEqual(faults.splice(0), []);
  });

  test('keeps credentials in memory only, loads nothing from elsewhere, and forgets', async () => {
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href]));
    assert.ok(!kept.includes(token), kept);
    const hosts = await page.evaluate(() => [...new Set(performance.getEntriesByType('resource').map((entry) => new URL(entry.name).origin))]);
    assert.deepEqual(hosts, [server.url]);
    await page.click('#forget');
    await is(async () => (await paths()).filter((path) => path.startsWith('/api/')), [BATCH]);
    assert.equal(await page.inputValue('#token'), '');
    assert.deepEqual(faults.splice(0), []);
  });

  test('fits a narrow window', async () => {
    const narrow = await open(browser, `${server.url}/docs`, 360);
    await narrow.page.waitForSelector('summary .path');
    const wider = () => narrow.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok((await wider()) <= 0, 'nothing sticks out');
    assert.deepEqual(narrow.faults, []);
    await narrow.page.close();
  });
});
