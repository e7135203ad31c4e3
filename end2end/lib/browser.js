// Chromium, and pages that are watched: a console error, a page error or a failed request fails the story.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Where pictures and traces of failures go; not in the repository. */
export const out = fileURLToPath(new URL('../out/', import.meta.url));
mkdirSync(out, { recursive: true });

const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
/** WCAG 2.2 AA and everything below it. */
const STANDARD = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa'];

/** What the page's start says when it is left before it has begun; a file that is missing is a failed answer. */
const LEFT = /WebAssembly compilation aborted|Failed to fetch dynamically imported module/;

export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };

function executable() {
  const folders = ['/usr/bin', ...(process.env.PATH ?? '').split(delimiter)];
  const found = folders.flatMap((f) => [join(f, 'chromium'), join(f, 'chromium-browser')]).find(existsSync);
  if (!found) throw new Error('the browser tests need Chromium on the PATH as `chromium`');
  return found;
}

export const launch = () => chromium.launch({ executablePath: executable(), args: ARGS });

/**
 * A page of its own browser session, or of a kept one (`session`), on this address. `page.faults` collects what went wrong; `allow` names, by status, the answers that a
 * story provokes on purpose (a browser logs each of them as an error).
 */
export async function open(browser, address, { script = true, dark = false, size = DESKTOP, allow = [], session, motion = 'reduce' } = {}) {
  const context = await browser.newContext({
    baseURL: address,
    storageState: session,
    javaScriptEnabled: script,
    colorScheme: dark ? 'dark' : 'light',
    viewport: size,
    isMobile: size === PHONE,
    hasTouch: size === PHONE,
    reducedMotion: motion,
    locale: 'en-GB',
    timezoneId: 'UTC',
  });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  page.faults = [];
  const fault = (text) => page.faults.push(`${text} (on ${page.url().replace(address, '')})`);
  const provoked = (text) => allow.some((status) => text.includes(`status of ${status} `));
  page.on('console', (m) => { if (m.type() === 'error' && !provoked(m.text()) && !LEFT.test(m.text())) fault(`console: ${m.text()} ${m.location().url}`); });
  page.on('pageerror', (e) => fault(`page: ${e.message}`));
  page.on('requestfailed', (r) => {
    const why = r.failure()?.errorText ?? '';
    // Leaving a page ends its stream and what it was still asking for; a browser that runs no script does not load any.
    if (!why.includes('ERR_ABORTED') && (script || why !== 'csp')) fault(`request: ${r.method()} ${r.url()} ${why}`);
  });
  page.on('response', (r) => {
    if (r.status() >= 400 && !allow.includes(r.status())) fault(`answer: ${r.status()} ${r.request().method()} ${r.url()}`);
  });
  page.close = (() => { const close = page.close.bind(page); return async () => { await close(); await context.close(); }; })();
  return page;
}

/** Nothing of this went wrong. */
export const none = (faults) => assert.ok(faults.length === 0, `${faults.length} faults:\n${faults.join('\n')}`);

/** Nothing went wrong on this page so far. */
export const clean = (page) => none(page.faults.splice(0));

/** Goes to a page of the app; with script, waits until it has been taken over (its stream of events is opened then). */
export async function visit(page, path, { script = true, door = false } = {}) {
  const taken = script && !door ? page.waitForRequest((r) => r.url().endsWith('/events')) : null;
  taken?.catch(() => {});
  const answer = await page.goto(path, { waitUntil: 'load' });
  await taken;
  return answer;
}

/** Opens a one-time link and presses its button. */
export async function signIn(page, link, { script = true } = {}) {
  await page.goto(link, { waitUntil: 'load' });
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL((url) => url.pathname === '/');
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  return page;
}

/** Violations of WCAG 2.2 AA on the page as it stands, one line each. */
export async function violations(page) {
  if (!(await page.evaluate('typeof axe === "object"'))) await page.evaluate(axeSource);
  const { violations: found } = await page.evaluate((tags) => globalThis.axe.run(document, { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'] }), STANDARD);
  const lines = (v) => v.nodes.slice(0, 4).map((n) => `${v.id}: ${n.target.join(' ')}: ${(n.any[0] ?? n.all[0] ?? n.none[0])?.message ?? v.help}`);
  return found.flatMap(lines);
}

/** How many pixels the page is wider than its window. */
export const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

/** A picture for people to look at: of the window, or with PICTURES=full of the whole page, which takes its time. */
export const picture = (page, name) => page.screenshot({ path: join(out, `${name}.png`), fullPage: process.env.PICTURES === 'full', animations: 'disabled' });
