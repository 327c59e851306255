// A certified OpenID provider on a loopback port over TLS, for the tests of the crate: everybody who comes is signed in at once.
// Reads a line of JSON with certificate and key and answers with the port; then a line with client and account and answers
// that it is ready.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:https";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => JSON.parse((await lines.next()).value);
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

const keys = ["ES256", "RS256"].map((alg) => {
  const pair =
    alg === "ES256"
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...pair.privateKey.export({ format: "jwk" }), alg, use: "sig", kid: `test-${alg}` };
});

const { certificate, key } = await read();
let answer;
const server = createServer({ cert: certificate, key }, (request, response) => answer(request, response));
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address();
say({ port });

const { client, account } = await read();
const provider = new Provider(`https://localhost:${port}`, {
  clients: [
    {
      client_id: client.id,
      client_secret: client.secret,
      redirect_uris: client.redirects,
      post_logout_redirect_uris: client.logouts,
      id_token_signed_response_alg: client.alg,
    },
  ],
  jwks: { keys },
  cookies: { keys: ["only for tests"] },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  features: { devInteractions: { enabled: false } },
  pkce: { required: () => true },
  scopes: ["openid", "profile", "email", "groups"],
  claims: {
    openid: ["sub"],
    profile: ["name"],
    email: ["email", "email_verified"],
    groups: ["groups"],
    acr: null,
    amr: null,
    auth_time: null,
  },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, ...account.claims }) }),
  conformIdTokenClaims: client.claims_at_userinfo,
});
answer = async (request, response) => {
  if (!/^\/interaction\/[^/]+$/.test(request.url)) {
    provider.callback()(request, response);
    return;
  }
  const details = await provider.interactionDetails(request, response);
  const result = { login: { accountId: account.sub, amr: account.amr, remember: false } };
  if (details.prompt.name === "consent") {
    const grant = new provider.Grant({ accountId: details.session.accountId, clientId: details.params.client_id });
    grant.addOIDCScope(details.params.scope);
    result.consent = { grantId: await grant.save() };
  }
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
};
say({ ready: true });
