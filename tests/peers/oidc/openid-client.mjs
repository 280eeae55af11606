// Plays front ends with the npm package "openid-client": node openid-client.mjs < JOB > what it found. Every check of tokens is the package's.
import './webcrypto.mjs';
import { readFileSync } from 'node:fs';
import { createPrivateKey } from 'node:crypto';
import * as client from 'openid-client';
import { logIn, refusal } from './browser.mjs';

const job = JSON.parse(readFileSync(0));
const insecure = { execute: [client.allowInsecureRequests] };
const importKey = async (pem) => crypto.subtle.importKey('pkcs8', createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' }),
	{ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);

async function begin(config, more = {}, push = false) {
	const verifier = client.randomPKCECodeVerifier();
	const checks = { pkceCodeVerifier: verifier, expectedState: client.randomState(), expectedNonce: client.randomNonce(), idTokenExpected: true };
	const parameters = { redirect_uri: job.callback, scope: job.scope, state: checks.expectedState, nonce: checks.expectedNonce,
		code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', ...more };
	const url = push ? await client.buildAuthorizationUrlWithPAR(config, parameters) : client.buildAuthorizationUrl(config, parameters);
	return { checks, url };
}

async function publicClient() {
	const config = await client.discovery(new URL(job.issuer), job.public, undefined, client.None(), insecure);
	const { checks, url } = await begin(config);
	const callback = await logIn(url, job.person, job.callback);
	const tokens = await client.authorizationCodeGrant(config, callback, checks);
	const sub = tokens.claims().sub;
	const userinfo = await client.fetchUserInfo(config, tokens.access_token, sub);
	const fresh = await client.refreshTokenGrant(config, tokens.refresh_token);
	const end = client.buildEndSessionUrl(config, { id_token_hint: fresh.id_token, post_logout_redirect_uri: job.goodbye, state: 'bye' });
	const out = await fetch(end, { redirect: 'manual' });
	return { sub, name: userinfo.given_name, rotated: fresh.refresh_token !== tokens.refresh_token, goodbye: out.headers.get('location'),
		dead: await refusal(client.refreshTokenGrant(config, fresh.refresh_token)),
		replayed: await refusal(client.authorizationCodeGrant(config, callback, checks)) };
}

// What the package must refuse: were it silent here, its silence above would mean nothing.
async function attacks() {
	const config = await client.discovery(new URL(job.issuer), job.public, undefined, client.None(), insecure);
	const { checks, url } = await begin(config);
	const callback = await logIn(url, job.person, job.callback);
	const mixed = new URL(callback);
	mixed.searchParams.set('iss', 'https://attacker.example');
	const bare = new URL(callback);
	bare.searchParams.delete('iss');
	return { mixUp: await refusal(client.authorizationCodeGrant(config, mixed, checks)),
		withoutIssuer: await refusal(client.authorizationCodeGrant(config, bare, checks)),
		otherState: await refusal(client.authorizationCodeGrant(config, callback, { ...checks, expectedState: 'x' })),
		otherNonce: await refusal(client.authorizationCodeGrant(config, callback, { ...checks, expectedNonce: 'x' })) };
}

async function keyedClient() {
	const key = { key: await importKey(job.key), kid: job.kid };
	const config = await client.discovery(new URL(job.issuer), job.keyed, undefined, client.PrivateKeyJwt(key), insecure);
	const { checks, url } = await begin(config, {}, true);
	const tokens = await client.authorizationCodeGrant(config, await logIn(url, job.person, job.callback), checks);
	const before = await client.tokenIntrospection(config, tokens.access_token);
	await client.tokenRevocation(config, tokens.refresh_token);
	const after = await client.tokenIntrospection(config, tokens.access_token);
	const wrong = await client.discovery(new URL(job.issuer), job.keyed, undefined,
		client.PrivateKeyJwt({ key: await importKey(job.otherKey), kid: job.kid }), insecure);
	return { pushed: url.searchParams.has('request_uri') && !url.searchParams.has('scope'), active: before.active, revoked: !after.active,
		otherKey: await refusal(client.clientCredentialsGrant(wrong)) };
}

async function exchange() {
	const config = await client.discovery(new URL(job.issuer), job.desk, undefined, client.None(), insecure);
	const { checks, url } = await begin(config, { redirect_uri: job.deskCallback, scope: 'openid desk:persons' });
	const helper = await client.authorizationCodeGrant(config, await logIn(url, job.operator, job.deskCallback), checks);
	const acting = await client.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:token-exchange', {
		subject_token: job.mandate, subject_token_type: 'urn:portico:params:oauth:token-type:mandate',
		actor_token: helper.access_token, actor_token_type: 'urn:ietf:params:oauth:token-type:access_token' });
	return { acting: JSON.parse(atob(acting.access_token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'))) };
}

console.log(JSON.stringify({ public: await publicClient(), attacks: await attacks(), keyed: await keyedClient(), exchange: await exchange() }));
