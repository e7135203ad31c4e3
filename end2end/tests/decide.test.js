// A decision that takes several people: a wish sends a change back, and policy asks for two approvals. Then its story as a file.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { apply, becomes, goTo, submit } from '../lib/acts.js';
import { clean, launch, open, signIn, visit } from '../lib/browser.js';
import { Demo } from '../lib/demo.js';

let demo, browser, engineer, approver, second, admin, saving;

before(async () => {
  [demo, browser] = await Promise.all([Demo.start(), launch()]);
  const api = await demo.analysed();
  engineer = await signIn(await open(browser, demo.address), demo.links.engineer);
  approver = await signIn(await open(browser, demo.address), demo.links.approver);
  admin = await signIn(await open(browser, demo.address), demo.links.admin);
  saving = (await api.openSavings())[0];
  assert.ok(saving, 'the demonstration has waste to find');
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

const press = (page, name) => page.getByRole('button', { name, exact: true }).click();

test('an approver asks for changes; the engineer reads the wish and submits again', async () => {
  await goTo(engineer, saving.recommendation_id);
  await submit(engineer);
  await goTo(approver, saving.recommendation_id);
  await approver.locator('.bar summary', { hasText: 'Request changes' }).click();
  await approver.getByLabel('What should be different?').fill('Not before the release, please.');
  await press(approver, 'Send it back');
  await becomes(approver, 'New');
  await goTo(engineer, saving.recommendation_id);
  await engineer.getByText('Not before the release, please.').first().waitFor();
  await submit(engineer);
  clean(engineer);
});

test('policy asks for two approvals, and two people give them', async () => {
  const code = demo.user('second', 'approver');
  second = await signIn(await open(browser, demo.address), `${demo.address}/sign-in/code?code=${code}`);
  await admin.goto('/settings');
  const api = demo.api('admin');
  await api.send('PUT', '/policy', { scope: 'fleet', key: 'approvals_required', value: '2' });
  // The plan was judged by other rules: it is out of date, and submitted anew.
  await goTo(engineer, saving.recommendation_id);
  await becomes(engineer, 'New');
  await submit(engineer);

  await goTo(approver, saving.recommendation_id);
  await press(approver, 'Approve this plan');
  await approver.getByText('1 of 2').first().waitFor();
  assert.equal(await approver.getByRole('button', { name: 'Apply', exact: true }).count(), 0, 'one is not enough');
  assert.equal(await approver.getByRole('button', { name: 'Approve this plan' }).count(), 0, 'one person counts once');
  await goTo(second, saving.recommendation_id);
  await press(second, 'Approve this plan');
  await becomes(second, 'Approved');
  await apply(second);
  await becomes(second, 'Verified');
  clean(approver);
  clean(second);
});

test('the audit page gives its entries away as CSV and JSON', async () => {
  await visit(approver, '/audit?event=change.');
  const file = async (name) => {
    const [download] = await Promise.all([approver.waitForEvent('download'), approver.getByRole('link', { name, exact: true }).click()]);
    const chunks = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk);
    return { name: download.suggestedFilename(), text: Buffer.concat(chunks).toString('utf8') };
  };
  const csv = await file('CSV');
  assert.equal(csv.name, 'headroom-audit.csv');
  const lines = csv.text.trim().split('\r\n');
  assert.match(lines[0], /^seq,event,actor,wall,cluster,/);
  const json = JSON.parse((await file('JSON')).text);
  assert.equal(json.length, lines.length - 1);
  const events = json.map((entry) => entry.event);
  for (const event of ['change.changes_requested', 'change.approved', 'change.applied']) assert.ok(events.includes(event), `${event} is in ${events}`);
  assert.ok(events.every((event) => event.startsWith('change.')), 'what was searched for, and nothing else');
  assert.ok(csv.text.includes('Not before the release, please.'));
  const everything = await (await approver.request.get('/audit/export.json')).json();
  assert.ok(everything.length > json.length);
  assert.deepEqual(everything.map((e) => e.seq), everything.map((_, i) => everything.length - i), 'every entry, without a gap');
  clean(approver);
});
