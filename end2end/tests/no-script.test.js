// Every act is a form: the same loop in a browser that runs no script.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { apply, approve, becomes, goTo, rollBack, submit } from '../lib/acts.js';
import { clean, launch, open, signIn } from '../lib/browser.js';
import { Demo } from '../lib/demo.js';

const script = false;
let demo, browser, engineer, approver, api, saving;

before(async () => {
  [demo, browser] = await Promise.all([Demo.start(), launch()]);
  api = await demo.analysed();
  engineer = await signIn(await open(browser, demo.address, { script }), demo.links.engineer);
  approver = await signIn(await open(browser, demo.address, { script }), demo.links.approver);
  saving = (await api.openSavings())[0];
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

test('submit, approve, apply, verify and roll back', async () => {
  await goTo(engineer, saving.recommendation_id);
  await submit(engineer, { script });
  await goTo(approver, saving.recommendation_id);
  await approve(approver, { script });
  await apply(approver);
  await becomes(approver, 'Verified', { script });
  await approver.getByRole('heading', { name: 'What it did' }).waitFor();
  await rollBack(approver, 'without a script');
  await becomes(approver, 'Rolled back', { script });
  await approver.getByText('without a script').first().waitFor();
  clean(engineer);
  clean(approver);
});

test('several are submitted from the inbox at once', async () => {
  await engineer.goto('/recommendations');
  const boxes = engineer.locator('#batch tbody input.check');
  assert.ok((await boxes.count()) >= 2, 'there are open recommendations to tick');
  const services = [];
  for (let i = 0; i < (await boxes.count()) && services.length < 2; i += 1) {
    const row = boxes.nth(i).locator('xpath=ancestor::tr');
    const id = (await row.locator('a.strong').getAttribute('href')).split('/').pop();
    const { refusal, service_name } = await api.recommendation(id);
    if (refusal || services.includes(service_name)) continue;
    await boxes.nth(i).check();
    services.push(service_name);
  }
  await engineer.getByRole('button', { name: 'Submit selected' }).click();
  await engineer.getByRole('status').filter({ hasText: '2 submitted' }).waitFor();
  clean(engineer);
});

test('the theme is kept', async () => {
  await engineer.goto('/services');
  await engineer.locator('summary[aria-label="Theme"]').click();
  await engineer.getByRole('button', { name: 'Dark' }).click();
  await engineer.waitForURL('**/services');
  assert.equal(await engineer.locator('html').getAttribute('data-theme'), 'dark');
  clean(engineer);
});

test('sign-out ends the session', async () => {
  await engineer.goto('/');
  await engineer.locator('summary.avatar').click();
  await engineer.getByRole('button', { name: 'Sign out' }).click();
  await engineer.waitForURL('**/sign-in');
  await engineer.goto('/services');
  assert.equal(new URL(engineer.url()).pathname, '/sign-in');
  clean(engineer);
});
