// The product's main job, as two people do it in a browser.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { apply, approve, becomes, goTo, propose, rollBack, shownRecommendation, submit } from '../lib/acts.js';
import { clean, launch, open, signIn, visit } from '../lib/browser.js';
import { Demo } from '../lib/demo.js';

let demo, browser, engineer, approver, api, saving;

before(async () => {
  [demo, browser] = await Promise.all([Demo.start(), launch()]);
  api = await demo.analysed();
  engineer = await signIn(await open(browser, demo.address), demo.links.engineer);
  approver = await signIn(await open(browser, demo.address), demo.links.approver);
  saving = (await api.openSavings())[0];
  assert.ok(saving, 'the demonstration has waste to find');
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

test('an engineer finds a saving in the inbox, reads it and submits it', async () => {
  await visit(engineer, '/recommendations?type=RESOURCE_OPTIMIZATION&sort=-saving');
  await engineer.locator(`a[href="/recommendations/${saving.recommendation_id}"]`).first().click();
  await engineer.getByRole('heading', { level: 1 }).filter({ hasText: saving.service_name }).waitFor();
  await engineer.getByText('Exactly what will change').waitFor();
  await submit(engineer);
  assert.equal(await engineer.getByRole('button', { name: 'Approve this plan' }).count(), 0, 'four eyes');
  await engineer.getByLabel('Your comment').fill('Idle for two weeks.');
  await engineer.getByRole('button', { name: 'Comment' }).click();
  await engineer.locator('.thread').getByText('Idle for two weeks.').waitFor();
  clean(engineer);
});

test('an approver reads the diff, approves that plan and applies it; it is verified with a measured effect', async () => {
  await visit(approver, '/recommendations?view=waiting');
  await approver.locator(`a[href="/recommendations/${saving.recommendation_id}"]`).first().click();
  await approver.getByRole('heading', { level: 1 }).filter({ hasText: saving.service_name }).waitFor();
  const plan = approver.getByRole('region', { name: 'Plan, line by line' });
  const changed = saving.changes.find((c) => c.to);
  assert.ok((await plan.locator('.ln.del').allTextContents()).some((t) => t.includes(changed.from)), `the diff takes ${changed.from} away`);
  assert.ok((await plan.locator('.ln.add').allTextContents()).some((t) => t.includes(changed.to)), `the diff adds ${changed.to}`);
  await approve(approver);
  await apply(approver);
  await becomes(approver, 'Verified');
  await approver.getByRole('heading', { name: 'What it did' }).waitFor();
  const effects = approver.getByRole('region', { name: 'Measured effect' });
  assert.ok((await effects.locator('tbody tr').count()) > 0, 'metrics were measured');
  const seen = await api.recommendation(saving.recommendation_id);
  assert.deepEqual([seen.status, seen.applied], ['APPLIED', true]);
  clean(approver);
});

test('values that starve another service are applied and taken back by themselves, with the reason', async () => {
  const victim = (await api.busyServices()).find((s) => s.name !== saving.service_name);
  assert.ok(victim, 'the demonstration has a busy service');
  const values = { [`containers.${victim.container}.requests.cpu`]: '20m', [`containers.${victim.container}.limits.cpu`]: '20m' };
  await propose(engineer, victim.name, values, 'to see what happens');
  const id = await shownRecommendation(engineer);
  await submit(engineer);
  clean(engineer);
  await goTo(approver, id);
  await approve(approver);
  await apply(approver);
  await becomes(approver, 'Rolled back');
  const why = approver.locator('.note', { hasText: 'Rolled back' }).first();
  await why.waitFor();
  const said = (await why.locator('p').textContent()).trim();
  const { effect, reason, applied } = await api.recommendation(id);
  assert.deepEqual([effect.judgement, applied], ['worse', false]);
  assert.equal(said, reason);
  clean(approver);
});

test('an approver takes the verified change back by hand', async () => {
  await goTo(approver, saving.recommendation_id);
  await rollBack(approver, 'the team wants it back');
  await becomes(approver, 'Rolled back');
  const service = await api.until(`/services/${saving.service_name}`, (s) => JSON.stringify(s.state.containers) === JSON.stringify(saving.current_state.containers));
  assert.equal(service.held_by, null);
  await visit(approver, '/audit?event=change.rolled_back');
  await approver.getByRole('cell', { name: 'the team wants it back' }).first().waitFor();
  await visit(approver, '/changes?view=done');
  assert.equal(await approver.locator('tbody .st', { hasText: 'Rolled back' }).count(), 2);
  clean(approver);
});

test('what was dismissed is opened again, and only the newest act is told', async () => {
  const [aside] = (await api.openSavings()).filter((r) => r.service_name !== saving.service_name);
  await goTo(engineer, aside.recommendation_id);
  await engineer.locator('.bar summary', { hasText: 'Dismiss' }).click();
  await engineer.getByLabel('Why is it put aside?').fill('The team shrinks it itself.');
  await engineer.getByRole('button', { name: 'Dismiss it' }).click();
  await becomes(engineer, 'Dismissed');
  await engineer.getByText('Would have saved').waitFor();
  await engineer.getByRole('button', { name: 'Open again' }).click();
  await becomes(engineer, 'New');
  assert.deepEqual(await engineer.locator('.note.good b').allTextContents(), ['It is open again.']);
  clean(engineer);
});
