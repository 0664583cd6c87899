// A certified OpenID provider on loopback, for tests: one client, PKCE demanded, whoever is asked for is signed in.
// Usage: node provider.mjs PORT REDIRECT_URI. Says "ready" when it listens; SIGTERM ends it.
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import Provider, { interactionPolicy } from 'oidc-provider';

const [port, redirectUri] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const key = { ...privateKey.export({ format: 'jwk' }), kid: 'first', use: 'sig', alg: 'RS256' };

// Google's `prompt=select_account` is not among the standard's own.
const policy = interactionPolicy.base();
policy.add(new interactionPolicy.Prompt({ name: 'select_account', requestable: true }), 0);

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'oo-test',
    client_secret: 'oo-test-secret',
    redirect_uris: [redirectUri],
    response_types: ['code'],
    grant_types: ['authorization_code'],
    token_endpoint_auth_method: 'client_secret_post',
  }],
  jwks: { keys: [key] },
  cookies: { keys: ['a test has nothing to hide'] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  conformIdTokenClaims: false, // as Google: the address stands in the id token
  pkce: { required: () => true },
  features: { devInteractions: { enabled: false } },
  interactions: { policy, url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, sub) => ({
    accountId: sub,
    claims: () => ({ sub, email: `${sub}@example.com`, email_verified: sub !== 'unverified', name: sub }),
  }),
});

// Stands for the person: signs in as the hinted one and agrees to everything.
async function answer(req, res) {
  const { params } = await provider.interactionDetails(req, res);
  const accountId = params.login_hint ?? 'ada';
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const result = { select_account: {}, login: { accountId }, consent: { grantId: await grant.save() } };
  await provider.interactionFinished(req, res, result);
}

const serve = provider.callback();
const server = createServer((req, res) => {
  if (!req.url.startsWith('/interaction/')) return serve(req, res);
  return answer(req, res).catch((error) => res.writeHead(500).end(String(error)));
});
server.listen(Number(port), '127.0.0.1', () => console.log('ready'));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
