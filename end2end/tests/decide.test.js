// One change, many hands, as in production: sent back with a wish, submitted again, approved by two, held by a freeze, carried out in
// spite of it, its Headroom killed in the middle, and taken back. On both databases.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { apply, becomes, goTo, rollBack, submit } from '../lib/acts.js';
import { clean, launch, open, signIn, visit } from '../lib/browser.js';
import { signInTwice } from '../lib/authenticator.js';
import { House } from '../lib/house.js';

const press = (page, name) => page.getByRole('button', { name, exact: true }).click();

for (const database of ['sqlite', 'postgres']) {
  describe(`with ${database}`, () => {
    let house, browser, engineer, approver, second, admin, saving;

    before(async () => {
      [house, browser] = await Promise.all([House.start({ database }), launch()]);
      admin = house.api('admin');
      await admin.until('/optimization/recommendations?limit=1', (list) => list.items.length > 0);
      await admin.send('PUT', '/policy', { scope: 'fleet', key: 'analysis_interval', value: '30d' });
      await admin.send('PUT', '/policy', { scope: 'fleet', key: 'approvals_required', value: '2' });
      const page = () => open(browser, house.address);
      engineer = await signIn(await page(), house.link('engineer'));
      approver = await signInTwice(await page(), house.link('approver'));
      second = await signInTwice(await page(), house.link('second'));
      saving = (await house.api('engineer').openSavings())[0];
      assert.ok(saving, 'the simulated cluster has waste to find');
    });

    after(async () => {
      await browser?.close();
      await house?.stop();
    });

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

    test('two people approve', async () => {
      await goTo(approver, saving.recommendation_id);
      await press(approver, 'Approve this plan');
      await approver.getByText('You approved it; 1 of 2 have.').waitFor();
      assert.equal(await approver.getByRole('button', { name: 'Apply', exact: true }).count(), 0, 'one is not enough');
      assert.equal(await approver.getByRole('button', { name: 'Approve this plan' }).count(), 0, 'one person counts once');
      await goTo(second, saving.recommendation_id);
      await press(second, 'Approve this plan');
      await becomes(second, 'Approved');
      clean(approver);
      clean(second);
    });

    test('a freeze holds it, until somebody breaks the glass with a reason', async () => {
      await admin.send('PUT', '/policy', { scope: 'fleet', key: 'change_windows', value: 'deny * * * * * for 1d' });
      await apply(second);
      await becomes(second, 'Held by freeze');
      await second.getByText('deny * * * * * for 1d').first().waitFor();
      assert.equal((await house.api('engineer').recommendation(saving.recommendation_id)).applied, false);
      await second.locator('.bar summary', { hasText: 'Break the glass' }).click();
      await second.getByLabel('Why can it not wait?').fill('Customers wait.');
      await press(second, 'Carry it out now');
      await becomes(second, 'Observing');
      clean(second);
    });

    test('its Headroom is killed and goes on where it was', async () => {
      const session = await approver.context().storageState();
      for (const page of [engineer, approver, second]) await page.close();
      await house.headroom.kill();
      await house.serve();
      const seen = await house.api('engineer').recommendation(saving.recommendation_id);
      assert.ok(['OBSERVING', 'APPLIED'].includes(seen.substate), seen.substate);
      approver = await open(browser, house.address, { session });
      await goTo(approver, saving.recommendation_id);
      await becomes(approver, 'Verified');
    });

    test('it is taken back, in spite of the freeze', async () => {
      await rollBack(approver, 'The release needs the room.');
      await becomes(approver, 'Rolled back');
      clean(approver);
    });

    test('the audit page tells the story, and gives it away as CSV and JSON', async () => {
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
      const story = JSON.parse((await file('JSON')).text).reverse();
      assert.equal(story.length, lines.length - 1);
      assert.deepEqual(story.map((entry) => `${entry.event} by ${entry.actor}`), [
        'change.submitted by engineer', 'change.changes_requested by approver', 'change.submitted by engineer', 'change.approved by approver',
        'change.approved by second', 'change.apply_requested by second', 'change.held_by_freeze by headroom', 'change.glass_broken by second',
        'change.preflight by headroom', 'change.applying by headroom', 'change.observing by headroom', 'change.applied by headroom',
        'change.rollback_requested by approver', 'change.rolling_back by headroom', 'change.rolled_back by headroom',
      ]);
      for (const reason of ['Not before the release, please.', 'Customers wait.', 'The release needs the room.']) {
        assert.ok(csv.text.includes(reason), reason);
        await approver.getByText(reason).first().waitFor();
      }
      const everything = await (await approver.request.get('/audit/export.json')).json();
      assert.deepEqual(everything.map((e) => e.seq), everything.map((_, i) => everything.length - i), 'every entry, without a gap');
      assert.match(house.said('verify-audit'), /every link holds/);
      clean(approver);
    });
  });
}
