// A certified OpenID provider on a loopback port over TLS. Tests of the crate have everybody who comes signed in at once;
// browser journeys have a page that asks for name and password.
//
// Reads a line of JSON with certificate and key (and the name of its host) and answers with the port; then a line with the
// client and whom it knows, and answers that it is ready. Each further line replaces whom it knows.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:https";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

// Standard output is for answers; what the provider has to say about its settings is not one.
console.info = console.error;
console.warn = console.error;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => {
  const { done, value } = await lines.next();
  return done ? process.exit(0) : JSON.parse(value);
};
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

const keys = ["ES256", "RS256"].map((alg) => {
  const pair =
    alg === "ES256"
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...pair.privateKey.export({ format: "jwk" }), alg, use: "sig", kid: `test-${alg}` };
});

const { certificate, key, host = "localhost" } = await read();
let answer;
const server = createServer({ cert: certificate, key }, (request, response) => answer(request, response));
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address();
say({ port });

// `account` is signed in unasked; `people` sign in with their passwords.
let { client, account, people = [] } = await read();
const provider = new Provider(`https://${host}:${port}`, {
  clients: [
    {
      client_id: client.id,
      client_secret: client.secret,
      redirect_uris: client.redirects,
      post_logout_redirect_uris: client.logouts,
      id_token_signed_response_alg: client.alg,
      // As Keycloak and Okta do for everybody: tokens say when credentials were given.
      require_auth_time: true,
    },
  ],
  jwks: { keys },
  cookies: { keys: ["only for tests"] },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  features: { devInteractions: { enabled: false } },
  pkce: { required: () => true },
  scopes: ["openid", "profile", "email", "groups"],
  claims: {
    // How somebody signed in is in every token, asked for or not.
    openid: ["sub", "amr"],
    profile: ["name"],
    email: ["email", "email_verified"],
    groups: ["groups"],
    acr: null,
    auth_time: null,
  },
  findAccount: (_, sub) => {
    const found = [...people, ...(account ? [account] : [])].find((known) => known.sub === sub);
    return found && { accountId: sub, claims: () => ({ sub, ...found.claims }) };
  },
  conformIdTokenClaims: client.claims_at_userinfo,
});

const page = (refusal) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>Provider</title>
<h1>Sign in to the provider</h1><p role="alert">${refusal}</p>
<form method="post"><p><label>Name <input name="username"></label></p>
<p><label>Password <input name="password" type="password"></label></p><button>Go on</button></form></html>`;

const form = async (request) => {
  let text = "";
  for await (const chunk of request) {
    text += chunk;
  }
  return Object.fromEntries(new URLSearchParams(text));
};

// `seconds_ago` has the account have signed in then, whatever was asked for.
const login = ({ sub, amr, seconds_ago }) => ({
  accountId: sub,
  amr,
  remember: people.length > 0,
  ts: seconds_ago ? Math.floor(Date.now() / 1000) - seconds_ago : undefined,
});

const ask = async (request, response) => {
  const given = request.method === "POST" ? await form(request) : undefined;
  const person = people.find(
    ({ username, password }) => username === given?.username && password === given?.password,
  );
  if (!person) {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end(page(given ? "Wrong name or password." : ""));
  }
  return person;
};

answer = async (request, response) => {
  if (!/^\/interaction\/[^/]+$/.test(request.url)) {
    provider.callback()(request, response);
    return;
  }
  const details = await provider.interactionDetails(request, response);
  const result = {};
  if (details.prompt.name === "login") {
    const person = account ?? (await ask(request, response));
    if (!person) {
      return;
    }
    result.login = login(person);
  } else if (account) {
    result.login = login(account);
  }
  if (details.prompt.name === "consent") {
    const grant = new provider.Grant({ accountId: details.session.accountId, clientId: details.params.client_id });
    grant.addOIDCScope(details.params.scope);
    result.consent = { grantId: await grant.save() };
  }
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
};
say({ ready: true });
for (;;) {
  ({ account, people = [] } = await read());
  say({ ready: true });
}
