// The page of a project that `bedplate new` makes.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually, launch, open } from './browser.js';
import { dev, newProject } from './server.js';

describe('new project', () => {
  let server, browser;

  before(async () => {
    server = await dev(newProject('todos'));
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    if (server) assert.equal(await server.stop(), 0, 'stops cleanly');
  });

  test('adds, ticks and deletes, and keeps users apart', async () => {
    const { page, faults } = await open(browser, `${server.url}/`);
    const titles = () => page.locator('#todos span').allTextContents();
    const is = (wanted) => eventually(async () => (await titles()).sort(), wanted.sort(), assert);
    const alices = ['Change policies/todos.sql and save it', 'Read the migration in migrations/'];

    await page.selectOption('#user', 'alice@example.com');
    await is(alices);
    await page.fill('#add [name=title]', 'Buy milk');
    await page.press('#add [name=title]', 'Enter');
    await is([...alices, 'Buy milk']);

    const milk = page.locator('#todos li', { hasText: 'Buy milk' });
    await milk.locator('input').check();
    await eventually(() => milk.getAttribute('class'), 'done', assert);

    await page.selectOption('#user', 'bob@example.com');
    await is(['Only Bob sees this']);

    await page.selectOption('#user', 'alice@example.com');
    await is([...alices, 'Buy milk']);
    await milk.locator('button').click();
    await is(alices);
    assert.deepEqual(faults, []);
  });
});
