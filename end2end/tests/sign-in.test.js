// Getting in and out.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clean, launch, open, signIn, visit } from '../lib/browser.js';
import { Demo } from '../lib/demo.js';

const PASSWORD = 'four small words more';
let demo, browser;

before(async () => {
  [demo, browser] = await Promise.all([Demo.start({ speed: 60 }), launch()]);
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

const button = (page) => page.getByRole('button', { name: 'Sign in' });

test('looking at a one-time link does not use it up; pressing the button does', async () => {
  const page = await open(browser, demo.address);
  for (let i = 0; i < 3; i += 1) await visit(page, demo.links.manager, { door: true });
  await signIn(page, demo.links.manager);
  clean(page);
  const other = await open(browser, demo.address);
  await visit(other, demo.links.manager, { door: true });
  await button(other).click();
  await other.getByRole('alert').filter({ hasText: 'used before' }).waitFor();
  clean(other);
  await page.close();
  await other.close();
});

test('a password, once set, signs in; sign-out ends the session; one is led back to where one wanted to go', async () => {
  const page = await signIn(await open(browser, demo.address), demo.links.engineer);
  await visit(page, '/account');
  const field = page.getByLabel('New password');
  await field.fill('engineer engineer');
  await page.getByRole('button', { name: 'Set password' }).click();
  await page.locator('.field-error').waitFor();
  await field.fill(PASSWORD);
  await page.getByRole('button', { name: 'Set password' }).click();
  await page.getByText('Your password is set.').waitFor();

  await page.locator('summary.avatar').click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL('**/sign-in');
  await visit(page, '/changes?view=done', { door: true });
  assert.equal(new URL(page.url()).pathname, '/sign-in');
  await page.getByLabel('Name').fill('engineer');
  await page.getByLabel('Password').fill(PASSWORD);
  await button(page).click();
  await page.waitForURL('**/changes?view=done');
  await page.getByRole('heading', { level: 1, name: 'Changes' }).waitFor();
  clean(page);
  await page.close();
});

test('too many failures have to wait', async () => {
  const page = await open(browser, demo.address);
  await visit(page, '/sign-in', { door: true });
  const waiting = page.getByRole('alert').filter({ hasText: 'Too many failures' });
  for (let i = 0; i < 12 && (await waiting.count()) === 0; i += 1) {
    await page.getByLabel('Name').fill('approver');
    await page.getByLabel('Password').fill(`guess number ${i} of many`);
    await Promise.all([page.waitForResponse((r) => new URL(r.url()).pathname === '/sign-in' && r.request().method() === 'GET'), button(page).click()]);
    await page.getByRole('alert').waitFor();
  }
  assert.equal(await waiting.count(), 1);
  clean(page);
  await page.close();
});
