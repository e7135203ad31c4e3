// A real OpenID provider (oidc-provider, certified) with keys of its own, and people in groups.

import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const SECRET = 'a secret between the provider and Headroom';

/** Starts it for a Headroom at this address. `people` maps a login to its groups, and can be changed while it runs. */
export async function provider(headroom, people) {
  let handle;
  const server = createServer((request, response) => handle(request, response));
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const oidc = new Provider(issuer, {
    clients: [{ client_id: 'headroom', client_secret: SECRET, redirect_uris: [`${headroom}/sign-in/provider/callback`] }],
    claims: { openid: ['sub'], profile: ['preferred_username'], email: ['email'], groups: ['groups'] },
    scopes: ['openid', 'profile', 'email', 'groups'],
    pkce: { required: () => true },
    cookies: { keys: ['only for this test'] },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: id, email: `${id}@example.com`, groups: people[id] ?? [] }),
    }),
  });
  handle = oidc.callback();
  const settings = {
    HEADROOM_PUBLIC_URL: headroom,
    HEADROOM_OIDC__ISSUER: issuer,
    HEADROOM_OIDC__CLIENT_ID: 'headroom',
    HEADROOM_OIDC__CLIENT_SECRET: SECRET,
    HEADROOM_OIDC__LABEL: 'Sign in with Example',
  };
  return { issuer, settings, stop: () => new Promise((done) => { server.closeAllConnections(); server.close(done); }) };
}

/** Signs in at the provider's own pages, as its user would. */
export async function atProvider(page, login) {
  await page.getByPlaceholder('Enter any login').fill(login);
  await page.getByPlaceholder('and password').fill('whatever');
  await page.getByRole('button', { name: 'Sign-in' }).click();
  await page.getByRole('button', { name: 'Continue' }).click();
}
