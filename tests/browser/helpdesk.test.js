// examples/helpdesk as somebody uses it: each step is a test, in order, on one page.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually, launch, open } from './browser.js';
import { copyOfHelpdesk, dev } from './server.js';

const ALICE = 'alice@acme.example';
const BOB = 'bob@bluebird.example';

describe('helpdesk', () => {
  let server, browser, page, faults;

  before(async () => {
    server = await dev(copyOfHelpdesk());
    browser = await launch();
    ({ page, faults } = await open(browser, `${server.url}/`));
  });
  after(async () => {
    await browser?.close();
    if (server) assert.equal(await server.stop(), 0, 'stops cleanly');
  });

  const texts = (selector) => page.locator(selector).allTextContents();
  const authors = async () => [...new Set(await texts('#tickets td:nth-child(5)'))].sort();
  const ids = async () => (await texts('#tickets td:nth-child(1)')).map(Number);
  const total = () => page.textContent('#total');
  const is = (read, wanted) =>
    eventually(read, wanted, assert).catch(async (error) => {
      error.message += `\nThe page says: ${await page.textContent('#message')}; went wrong: ${faults.join(', ')}`;
      throw error;
    });
  /** What went wrong since the last look; a step names what it expects. */
  const expectFaults = (expected) => assert.deepEqual(faults.splice(0), expected);

  test('signs in as Alice and sees the tickets of her organization only', async () => {
    await page.selectOption('#user', ALICE);
    await is(total, '20 tickets');
    await is(authors, ['Adam', 'Alice']);
    assert.equal((await ids()).length, 10);
    expectFaults([]);
  });

  test('pages forth and back', async () => {
    const first = await ids();
    await page.click('#next');
    await page.waitForSelector('#next:disabled');
    const second = await ids();
    assert.equal(new Set([...first, ...second]).size, 20, 'each ticket once');
    assert.deepEqual([...first, ...second].sort((a, b) => b - a), [...first, ...second], 'newest first');
    await page.click('#prev');
    await page.waitForSelector('#prev:disabled');
    assert.deepEqual(await ids(), first);
    expectFaults([]);
  });

  test('filters by status and by title', async () => {
    await page.selectOption('#filters [name=status]', 'solved');
    await is(async () => [...new Set(await texts('#tickets td:nth-child(3)'))], ['solved']);
    await page.fill('#filters [name=search]', 'INVOICE');
    await is(async () => (await texts('#tickets td:nth-child(2)')).every((t) => t.startsWith('Invoice')), true);
    assert.ok((await ids()).length > 0);
    await page.fill('#filters [name=search]', '100%');
    await page.waitForSelector('#none:visible');
    await is(total, '0 tickets');
    await page.fill('#filters [name=search]', '');
    await page.selectOption('#filters [name=status]', '');
    await is(total, '20 tickets');
    expectFaults([]);
  });

  test('opens a ticket with its comments by keyboard alone', async () => {
    await page.focus('#tickets tr:nth-child(2) button');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#detail:visible');
    assert.match(await page.textContent('#detail-title'), /^#\d+ \w/);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'detail-title', 'focus follows');
    const commented = page.locator('#tickets tr', { has: page.locator('td:first-child', { hasText: /[02468]$/ }) }).first();
    await commented.locator('button').click();
    await is(() => texts('#comments li'), ['Adam Any news on this?']);
    await page.fill('#comment [name=body]', 'A <b>new</b> kettle is on its way.');
    await page.press('#comment [name=body]', 'Enter');
    await is(() => texts('#comments li'), ['Adam Any news on this?', 'Alice A <b>new</b> kettle is on its way.']);
    expectFaults([]);
  });

  test('edits it, and the list shows the change', async () => {
    await page.fill('#edit [name=title]', 'Kettle "fixed" & tested');
    await page.selectOption('#edit [name=status]', 'closed');
    await page.click('#edit button:text("Save")');
    const current = '#tickets tr[aria-current] td:nth-child';
    await is(() => texts(`${current}(2)`), ['Kettle "fixed" & tested']);
    assert.deepEqual(await texts(`${current}(3)`), ['closed']);
    assert.match(await page.textContent('#detail-title'), /Kettle "fixed" & tested$/);
    expectFaults([]);
  });

  test('hears at the field what is wrong with a new ticket, then creates it', async () => {
    await page.fill('#create [name=priority]', '9');
    await page.click('#create button');
    await is(() => page.locator('#create .fault').allTextContents(), ['must not be empty', 'must be between 1 and 5']);
    expectFaults(['400 /api/v1/tickets']);
    assert.equal(await page.getAttribute('#create [name=priority]', 'aria-invalid'), 'true');
    assert.equal(await page.evaluate(() => document.activeElement.name), 'title', 'the first fault has the focus');
    assert.equal(await total(), '20 tickets', 'nothing was created');

    await page.fill('#create [name=title]', 'The new ticket');
    await page.fill('#create [name=priority]', '1');
    await page.click('#create button');
    await is(total, '21 tickets');
    await is(async () => (await page.textContent('#detail-title')).replace(/\d+/, 'N'), '#N The new ticket');
    assert.equal((await texts('#tickets td:nth-child(2)'))[0], 'The new ticket');
    assert.equal(await page.locator('.fault').count(), 0);
    expectFaults([]);
  });

  test('deletes it', async () => {
    page.once('dialog', (dialog) => dialog.accept());
    await page.click('#delete');
    await is(total, '20 tickets');
    assert.equal(await page.isVisible('#detail'), false);
    expectFaults([]);
  });

  test('shows Bob nothing of Alice', async () => {
    const hers = await ids();
    await page.selectOption('#user', BOB);
    await is(authors, ['Bea', 'Bob']);
    assert.equal(await total(), '20 tickets');
    assert.deepEqual((await ids()).filter((id) => hers.includes(id)), []);
    // Not by asking for it either.
    const status = await page.evaluate(async ([id, user]) => {
      const body = JSON.stringify({ user });
      const signedIn = await fetch('/dev/token', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      const { data } = await signedIn.json();
      return (await fetch(`/api/v1/tickets/${id}`, { headers: { authorization: `Bearer ${data.access_token}` } })).status;
    }, [hers[0], BOB]);
    assert.equal(status, 404);
    expectFaults([`404 /api/v1/tickets/${hers[0]}`]);
  });

  test('says so when a customer may not delete', async () => {
    await page.selectOption('#user', 'bea@bluebird.example');
    await is(total, '20 tickets');
    await page.click('#tickets tr:first-child button');
    await page.waitForSelector('#detail:visible');
    page.once('dialog', (dialog) => dialog.accept());
    await page.click('#delete');
    await is(() => page.textContent('#message'), 'You may not delete this ticket, or it is gone.');
    assert.deepEqual(faults.splice(0).map((fault) => fault.slice(0, 3)), ['404']);
  });

  test('keeps to the user who was chosen last, whichever answer comes first', async () => {
    const context = await browser.newContext();
    const slow = await context.newPage();
    let letGo;
    const held = new Promise((done) => { letGo = done; });
    await slow.route('**/dev/token', async (route) => {
      // The page signs in the first user by itself; that answer is late.
      if (route.request().postDataJSON().user !== ALICE) await held;
      await route.continue();
    });
    await slow.goto(`${server.url}/`);
    await slow.waitForFunction(() => document.getElementById('user').options.length > 0);
    await slow.selectOption('#user', ALICE);
    await slow.waitForSelector('#tickets tr');
    const late = slow.waitForResponse('**/dev/token');
    letGo();
    await (await late).finished();
    const [request] = await Promise.all([
      slow.waitForRequest('**/api/v1/tickets?*'),
      slow.selectOption('#filters [name=status]', 'open'),
    ]);
    const claims = JSON.parse(Buffer.from(request.headers().authorization.split('.')[1], 'base64url').toString());
    assert.equal(claims.email, ALICE);
    await context.close();
  });

  test('fits a narrow window', async () => {
    const narrow = await open(browser, `${server.url}/`, 360);
    await narrow.page.click('#tickets tr:first-child button');
    await narrow.page.waitForSelector('#detail:visible');
    const wider = () => narrow.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok((await wider()) <= 0, 'nothing sticks out');
    assert.deepEqual(narrow.faults, []);
    await narrow.page.close();
  });
});
