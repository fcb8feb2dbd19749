// An OpenID Connect provider on loopback. Arguments: where its packages are, its port, the resource that its tokens are
// for unless a client names another. Each line of its input is a JWK Set, which it signs with from then on.
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'

const [modules, port, resource] = process.argv.slice(2)
const { Provider } = await import(`${modules}/oidc-provider/lib/index.js`)
const issuer = `http://127.0.0.1:${port}`
const groups = { machine: ['robots'], ann: ['staff', 'leads'] }

function configuration(jwks) {
  return {
    jwks,
    clients: [
      {
        client_id: 'machine',
        client_secret: 'a secret of the tests',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        token_endpoint_auth_method: 'client_secret_post',
      },
    ],
    cookies: { keys: ['for tests only'] },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      registration: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => resource,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, named) => ({
          scope: 'ask',
          audience: named,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: jwks.keys[0].alg } },
        }),
      },
    },
    extraTokenClaims: (_, token) => ({ groups: groups[token.accountId ?? token.clientId] ?? [] }),
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    pkce: { required: () => true },
    ttl: { AccessToken: 600, ClientCredentials: 600, Grant: 600, Interaction: 600, Session: 600, IdToken: 600 },
  }
}

// What a person would do in a browser: sign in as ann, and agree.
async function interact(provider, request, response) {
  const { prompt, params, session } = await provider.interactionDetails(request, response)
  if (prompt.name === 'login') {
    return provider.interactionFinished(request, response, { login: { accountId: 'ann' } })
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id })
  grant.addOIDCScope('openid offline_access')
  grant.addResourceScope(params.resource ?? resource, 'ask')
  const consent = { grantId: await grant.save() }
  return provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true })
}

let provider, answer
const server = createServer((request, response) => {
  if (!request.url.startsWith('/interaction/')) return answer(request, response)
  interact(provider, request, response).catch((error) => response.writeHead(500).end(String(error)))
})
for await (const line of createInterface({ input: process.stdin })) {
  provider = new Provider(issuer, configuration(JSON.parse(line)))
  answer = provider.callback()
  if (!server.listening) await new Promise((resolve) => server.listen(Number(port), '127.0.0.1', resolve))
  console.log(JSON.stringify({ issuer }))
}
