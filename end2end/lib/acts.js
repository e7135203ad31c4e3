// What people do, in the words of the page; each works with and without JavaScript.

import assert from 'node:assert/strict';
import { sleep } from './api.js';

const stages = (page) => page.getByRole('list', { name: 'Where it stands' });
const recommendation = (id) => `/recommendations/${id}`;

/** Waits until the action bar says this state. Without JavaScript nothing moves by itself, so the page is loaded anew. */
export async function becomes(page, word, { script = true, ms = 90_000 } = {}) {
  const state = page.locator('.bar .st');
  for (const begin = Date.now(); ; await sleep(300)) {
    const now = (await state.first().textContent({ timeout: 5_000 }).catch(() => '')).trim();
    if (now === word) return;
    if (Date.now() - begin > ms) assert.fail(`it should become "${word}" and stays "${now}"`);
    if (!script) await page.reload();
  }
}

export async function goTo(page, id) {
  await page.goto(recommendation(id));
  await stages(page).waitFor();
}

export async function submit(page, options) {
  await page.getByRole('button', { name: 'Submit for approval' }).click();
  await becomes(page, 'Waiting for approval', options);
}

export async function approve(page, options) {
  await page.getByRole('button', { name: 'Approve this plan' }).click();
  await becomes(page, 'Approved', options);
}

export const apply = (page) => page.getByRole('button', { name: 'Apply', exact: true }).click();

/** Presses "Roll back", says why, and confirms. */
export async function rollBack(page, reason) {
  await page.locator('.bar summary', { hasText: 'Roll back' }).click();
  await page.getByLabel('Why is it rolled back?').fill(reason);
  await page.getByRole('button', { name: 'Roll back now' }).click();
}

/** Enters own values for a service in its form. */
export async function propose(page, service, values, reason) {
  await page.goto(`/services/${service}#propose`);
  for (const [field, value] of Object.entries(values)) await page.getByLabel(field, { exact: true }).fill(value);
  await page.getByLabel('Why', { exact: true }).fill(reason);
  await page.getByRole('button', { name: 'Propose these values' }).click();
}

/** The id in the address of a recommendation. */
export async function shownRecommendation(page) {
  await page.waitForURL(/\/recommendations\/[^/?]+/);
  return new URL(page.url()).pathname.split('/').pop();
}
