// An authenticator app: the code of six digits that RFC 6238 makes of a key and the time.

import { createHmac } from 'node:crypto';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** The code of a key, as its page shows it, so many steps of 30 s from now. */
export function code(key, steps = 0) {
  const bits = [...key.replace(/\s/g, '')].map((letter) => LETTERS.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const secret = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = createHmac('sha1', secret).update(counter).digest();
  const at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

/** Sets an authenticator up on the page that asks for a second factor. */
export async function setUp(page) {
  await page.getByRole('button', { name: 'Set up an authenticator' }).click();
  const key = await page.locator('.codebox code').innerText();
  await page.getByLabel('Code').fill(code(key));
  await page.getByRole('button', { name: 'Set up', exact: true }).click();
}

/** Signs an approver in for the first time: with a one-time link, and an authenticator. */
export async function signInTwice(page, link) {
  await page.goto(link, { waitUntil: 'load' });
  await page.getByRole('button', { name: 'Sign in' }).click();
  await setUp(page);
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  return page;
}
