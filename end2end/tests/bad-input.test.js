// What people and others get wrong: said beside the field, nothing lost, nothing done that may not be done.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { clean, launch, open, signIn, visit } from '../lib/browser.js';
import { Demo } from '../lib/demo.js';

let demo, browser, api, victim, saving;
const sessions = {};

before(async () => {
  [demo, browser] = await Promise.all([Demo.start({ speed: 60 }), launch()]);
  api = await demo.analysed();
  victim = (await api.busyServices())[0];
  saving = (await api.openSavings())[0];
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

async function as(user, options) {
  const page = await open(browser, demo.address, { session: sessions[user], ...options });
  if (!sessions[user]) {
    await signIn(page, demo.links[user], options);
    sessions[user] = await page.context().storageState();
  }
  return page;
}

/** The message beside a field, once it is there. */
async function messageBeside(field) {
  const message = field.locator('xpath=ancestor::div[contains(@class,"field")][1]').locator('.field-error');
  await message.waitFor();
  assert.equal(await field.getAttribute('aria-invalid'), 'true');
  return (await message.textContent()).trim();
}

for (const script of [true, false]) {
  describe(`a broken form keeps what was typed and says it beside the field, ${script ? 'with' : 'without'} JavaScript`, () => {
    test('own values', async () => {
      const page = await as('engineer', { script, allow: [422] });
      await visit(page, `/services/${victim.name}`, { script });
      const field = page.getByLabel(`containers.${victim.container}.requests.cpu`, { exact: true });
      const why = page.getByLabel('Why', { exact: true });
      await field.fill('a lot');
      await why.fill('it feels slow');
      await page.getByRole('button', { name: 'Propose these values' }).click();
      assert.match(await messageBeside(field), /a lot/);
      assert.deepEqual([await field.inputValue(), await why.inputValue()], ['a lot', 'it feels slow']);
      clean(page);
      await page.close();
    });

    test('a policy rule', async () => {
      const page = await as('admin', { script, allow: [422] });
      await visit(page, '/settings', { script });
      const field = page.getByLabel('confidence_threshold', { exact: true });
      await field.fill('rather sure');
      await page.getByRole('button', { name: 'Set confidence_threshold' }).click();
      assert.match(await messageBeside(field), /\S/);
      assert.equal(await field.inputValue(), 'rather sure');
      clean(page);
      await page.close();
    });

    test('a new user', async () => {
      const page = await as('admin', { script, allow: [409, 422] });
      await visit(page, '/settings/users', { script });
      const field = page.locator('section', { hasText: 'Create a user' }).getByLabel('Name', { exact: true });
      await field.fill('two words');
      await page.getByRole('button', { name: 'Create' }).click();
      assert.match(await messageBeside(field), /\S/);
      assert.equal(await field.inputValue(), 'two words');
      clean(page);
      await page.close();
    });

    test('a wrong password', async () => {
      const page = await open(browser, demo.address, { script });
      await visit(page, '/sign-in', { script, door: true });
      await page.getByLabel('Name').fill('engineer');
      await page.getByLabel('Password').fill('not the password');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('alert').filter({ hasText: 'do not fit together' }).waitFor();
      assert.deepEqual([await page.getByLabel('Name').inputValue(), await page.getByLabel('Password').inputValue()], ['engineer', '']);
      clean(page);
      await page.close();
    });
  });
}

test('an unknown id is a page with status 404', async () => {
  const page = await as('engineer', { allow: [404] });
  for (const path of ['/services/nobody', '/recommendations/nobody', '/recommendations/01975f3e-0000-7000-8000-000000000000', '/nowhere']) {
    const answer = await page.goto(path);
    assert.equal(answer.status(), 404, path);
    await page.getByRole('heading', { level: 1, name: 'There is no such page' }).waitFor();
  }
  clean(page);
  await page.close();
});

test('who may not act does not get the action, and a forged form is refused', async () => {
  const page = await as('manager');
  const id = saving.recommendation_id;
  await visit(page, `/recommendations/${id}`);
  assert.ok(await page.getByRole('button', { name: 'Submit for approval' }).isDisabled());
  assert.match(await page.getByRole('button', { name: 'Submit for approval' }).getAttribute('title'), /role/);
  clean(page);
  const forge = (headers = {}, path = '/fn/recommendation/submit') =>
    page.context().request.fetch(path, { method: 'POST', form: { id, key: `forged-${Math.random()}` }, headers, maxRedirects: 0 });
  const refused = await forge();
  assert.equal(refused.status(), 403);
  assert.match(await refused.text(), /engineer/, 'it says which role is missing');
  assert.equal((await forge({ 'sec-fetch-site': 'cross-site', origin: 'https://elsewhere.example' })).status(), 403);
  assert.equal((await api.recommendation(id)).substate, 'OPEN');
  await page.close();

  const engineer = await as('engineer');
  const own = await engineer.context().request.fetch('/fn/recommendation/submit', { method: 'POST', form: { id, key: 'from elsewhere' }, headers: { origin: 'https://elsewhere.example', 'sec-fetch-site': 'cross-site' }, maxRedirects: 0 });
  assert.equal(own.status(), 403, 'another site cannot use a session');
  const got = await engineer.context().request.fetch(`/fn/recommendation/submit?id=${id}&key=x`, { maxRedirects: 0 });
  assert.ok(got.status() >= 400, `a GET does nothing, and answers ${got.status()}`);
  assert.equal((await api.recommendation(id)).substate, 'OPEN');
  await engineer.close();
});

test('a policy page without the role has no form', async () => {
  const page = await as('engineer');
  await visit(page, '/settings');
  assert.equal(await page.getByRole('button', { name: /^Set / }).count(), 0);
  await page.close();
});
