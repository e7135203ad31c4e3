// Who signs in to a Headroom in production: with a second factor, or through an identity provider; kept to teams, within what a token is for.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { code } from '../lib/authenticator.js';
import { clean, launch, open, overflow, PHONE, picture, violations, visit } from '../lib/browser.js';
import { newUser, scratch, start } from '../lib/demo.js';
import { atProvider, provider } from '../lib/provider.js';

const GROUPS = '[oidc.roles]\nplatform = "engineer"\nleads = "approver"\n[oidc.teams]\nmarkets = "markets"\nboard = "*"\n';
let place, id, headroom, address, browser, settings, where;
const people = { ann: ['platform', 'board'], lea: ['leads', 'board'], gus: ['golf'] };

const freePort = () => new Promise((done) => {
  const probe = createServer().listen(0, '127.0.0.1', () => { const { port } = probe.address(); probe.close(() => done(port)); });
});

before(async () => {
  place = scratch();
  const port = await freePort();
  address = `http://127.0.0.1:${port}`;
  id = await provider(address, people);
  const config = join(place.dir, 'headroom.toml');
  writeFileSync(config, GROUPS);
  settings = { ...id.settings, HEADROOM_DATA_DIR: place.dir };
  const listens = (line) => line.includes('Headroom listens at');
  [headroom, browser] = await Promise.all([start(['serve', '--bind', `127.0.0.1:${port}`, '--config', config], listens, settings), launch()]);
  where = ['--config', config];
});

after(async () => {
  await browser?.close();
  await headroom?.stop();
  await id?.stop();
  place?.remove();
});

const user = (name, role) => newUser(name, role, where, settings);
/** The provider's own pages are not ours to mend. */
const ours = (page) => { page.faults = page.faults.filter((fault) => !fault.includes(`(on ${id.issuer}`)); clean(page); };
const press = (page, name) => page.getByRole('button', { name, exact: true }).click();

async function withCode(page, name, role) {
  await page.goto(`/sign-in/code?code=${user(name, role)}`, { waitUntil: 'load' });
  await press(page, 'Sign in');
}

test('with an identity provider, one is led to sign in, even before there is an administrator', async () => {
  const answer = await fetch(`${address}/changes`, { redirect: 'manual', headers: { accept: 'text/html' } });
  assert.equal(answer.headers.get('location'), '/sign-in?next=/changes');
  assert.equal((await fetch(`${address}/first-run`)).status, 200, 'the page that makes one is there all the same');
});

test('an approver sets a second factor up before anything else, and shows it at every sign-in', async () => {
  const page = await open(browser, address);
  await withCode(page, 'olga', 'approver');
  await page.getByRole('heading', { name: 'Second factor' }).waitFor();
  await visit(page, '/audit', { door: true });
  assert.equal(new URL(page.url()).pathname, '/second-factor', 'there is no way around it');
  await press(page, 'Set up an authenticator');
  await page.getByRole('img', { name: 'The key as a picture' }).waitFor();
  await picture(page, 'second-factor');
  assert.deepEqual(await violations(page), []);
  const key = await page.locator('.codebox code').innerText();
  await page.getByLabel('Code').fill('000000');
  await press(page, 'Set up');
  await page.getByRole('alert').filter({ hasText: 'not the code' }).waitFor();
  await page.getByLabel('Code').fill(code(key, -1));
  await press(page, 'Set up');
  await page.getByRole('heading', { level: 1, name: 'Audit' }).waitFor();

  await visit(page, '/account');
  await page.getByLabel('New password').fill('four small words more');
  await press(page, 'Set password');
  await page.getByText('Your password is set.').waitFor();
  await page.locator('summary.avatar').click();
  await press(page, 'Sign out');
  await page.waitForURL('**/sign-in');
  await page.getByLabel('Name').fill('olga');
  await page.getByLabel('Password').fill('four small words more');
  await press(page, 'Sign in');
  await page.getByText('the code of six digits').waitFor();
  await page.getByLabel('Code').fill(code(key));
  await press(page, 'Sign in');
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  clean(page);
  await page.close();
});

test('the account page shows where one is signed in, and ends it', async () => {
  const first = await open(browser, address);
  await withCode(first, 'emil', 'engineer');
  await first.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  await visit(first, '/account');
  await first.getByLabel('New password').fill('a house of many doors');
  await press(first, 'Set password');
  await first.getByText('Your password is set.').waitFor();
  const second = await open(browser, address, { size: PHONE });
  await visit(second, '/sign-in', { door: true });
  await second.getByLabel('Name').fill('emil');
  await second.getByLabel('Password').fill('a house of many doors');
  await press(second, 'Sign in');
  await second.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  await visit(second, '/account');
  assert.equal(await second.locator('tbody tr').count(), 2);
  assert.ok((await overflow(second)) <= 0, 'the phone page is not wider than the phone');
  await picture(second, 'account-phone');
  assert.deepEqual(await violations(second), []);
  await visit(first, '/account');
  await picture(first, 'account');
  assert.deepEqual(await violations(first), []);
  await press(first, 'Sign out the others');
  await first.getByText('One other browser is signed out.').waitFor();
  await visit(second, '/changes', { door: true });
  assert.equal(new URL(second.url()).pathname, '/sign-in');
  clean(first);
  await first.close();
  await second.close();
});

test('a token is made with a scope and an end, and may no more than that', async () => {
  const page = await open(browser, address, { allow: [422] });
  await withCode(page, 'tina', 'engineer');
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  await visit(page, '/settings/tokens');
  await page.getByLabel('What for').fill('a pipeline');
  await page.getByLabel('comment', { exact: true }).check();
  await picture(page, 'tokens');
  assert.deepEqual(await violations(page), []);
  await press(page, 'Make a token');
  const token = await page.locator('.codebox code').innerText();
  await page.getByRole('cell', { name: 'read, comment' }).waitFor();
  const ask = (path, options = {}) => fetch(`${address}/api/v1${path}`, { ...options, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } });
  assert.equal((await ask('/services')).status, 200);
  const refused = await ask('/optimization/analyze', { method: 'POST', body: '{"service_name":"fleet"}' });
  assert.equal(refused.status, 403);
  assert.match((await refused.json()).detail, /make one with the scope analyze/);
  for (const box of await page.getByRole('group', { name: 'May' }).getByRole('checkbox').all()) await box.uncheck();
  await press(page, 'Make a token');
  await page.getByText('choose at least one thing that the token may do').first().waitFor();
  await page.getByRole('button', { name: 'Revoke a pipeline' }).click();
  await page.getByText('The token is revoked.').waitFor();
  assert.equal((await ask('/services')).status, 401);
  clean(page);
  await page.close();
});

test('the identity provider signs in whom its groups let in, with their role and teams', async () => {
  const page = await open(browser, address);
  await visit(page, '/audit', { door: true });
  await picture(page, 'sign-in-provider');
  await press(page, 'Sign in with Example');
  await atProvider(page, 'ann');
  await page.getByRole('heading', { level: 1, name: 'Audit' }).waitFor();
  assert.equal(new URL(page.url()).pathname, '/audit', 'back to where one wanted to go');
  await visit(page, '/account');
  await page.locator('.lead', { hasText: 'ann · Engineer' }).waitFor();
  await page.getByText('Your identity provider signs you in').waitFor();
  ours(page);
  await page.close();

  const lead = await open(browser, address);
  await visit(lead, '/sign-in', { door: true });
  await press(lead, 'Sign in with Example');
  await atProvider(lead, 'lea');
  await lead.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  ours(lead);
  await lead.close();

  people.ann = ['leads', 'board'];
  const again = await open(browser, address);
  await visit(again, '/sign-in', { door: true });
  await press(again, 'Sign in with Example');
  await atProvider(again, 'ann');
  await visit(again, '/account');
  await again.locator('.lead', { hasText: 'ann · Approver' }).waitFor();
  await again.close();
});

test('who is in no group that counts, or comes with an answer that was never asked for, stays outside', async () => {
  const page = await open(browser, address, { allow: [400] });
  await visit(page, '/sign-in', { door: true });
  await press(page, 'Sign in with Example');
  await atProvider(page, 'gus');
  await page.getByRole('alert').filter({ hasText: 'none of the groups' }).waitFor();
  await page.close();
  for (const query of ['code=stolen&state=guessed', 'error=access_denied', '', 'code=&state=']) {
    const answer = await fetch(`${address}/sign-in/provider/callback?${query}`, { redirect: 'manual' });
    assert.equal(answer.headers.get('location'), '/sign-in?error=provider', query);
  }
  // A local user's name is nobody else's.
  people.olga = ['leads', 'board'];
  const other = await open(browser, address);
  await visit(other, '/sign-in', { door: true });
  await press(other, 'Sign in with Example');
  await atProvider(other, 'olga');
  await other.getByRole('alert').filter({ hasText: 'another user' }).waitFor();
  await other.close();
});

test('without its provider Headroom says so, and passwords still sign in', async () => {
  await id.stop();
  const page = await open(browser, address);
  await visit(page, '/sign-in', { door: true });
  await press(page, 'Sign in with Example');
  await page.getByRole('alert').filter({ hasText: 'did not sign you in' }).waitFor();
  assert.ok(headroom.log.some((line) => line.includes('not signed in')), 'the log says why');
  await page.close();
});
