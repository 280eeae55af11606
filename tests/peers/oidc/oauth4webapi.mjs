// Plays front ends, back ends and a resource server with the npm package "oauth4webapi": node oauth4webapi.mjs < JOB > what it found.
import './webcrypto.mjs';
import { readFileSync } from 'node:fs';
import { createPrivateKey } from 'node:crypto';
import * as oauth from 'oauth4webapi';
import { logIn, refusal } from './browser.mjs';

const job = JSON.parse(readFileSync(0));
const insecure = { [oauth.allowInsecureRequests]: true };
const importKey = async (pem) => crypto.subtle.importKey('pkcs8', createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' }),
	{ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
const issuer = new URL(job.issuer);
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));

async function codeFlow(client, proof, { scope, callback, person, push }) {
	const verifier = oauth.generateRandomCodeVerifier(), state = oauth.generateRandomState(), nonce = oauth.generateRandomNonce();
	const wanted = new URLSearchParams({ client_id: client.client_id, response_type: 'code', redirect_uri: callback, scope, state, nonce,
		code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' });
	const url = new URL(as.authorization_endpoint);
	if (push) {
		const pushed = await oauth.processPushedAuthorizationResponse(as, client,
			await oauth.pushedAuthorizationRequest(as, client, proof, wanted, insecure));
		url.search = new URLSearchParams({ client_id: client.client_id, request_uri: pushed.request_uri });
	} else {
		url.search = wanted;
	}
	const parameters = oauth.validateAuthResponse(as, client, await logIn(url, person, callback), state);
	const answer = await oauth.authorizationCodeGrantRequest(as, client, proof, parameters, callback, verifier, insecure);
	return oauth.processAuthorizationCodeResponse(as, client, answer, { expectedNonce: nonce, requireIdToken: true });
}

async function publicClient() {
	const client = { client_id: job.public }, proof = oauth.None();
	const tokens = await codeFlow(client, proof, { scope: job.scope, callback: job.callback, person: job.person });
	const sub = oauth.getValidatedIdTokenClaims(tokens).sub;
	const userinfo = await oauth.processUserInfoResponse(as, client, sub, await oauth.userInfoRequest(as, client, tokens.access_token, insecure));
	const refresh = async (token) => oauth.processRefreshTokenResponse(as, client,
		await oauth.refreshTokenGrantRequest(as, client, proof, token, insecure));
	const fresh = await refresh(tokens.refresh_token);
	const replay = await refusal(refresh(tokens.refresh_token));
	// The package as a resource server: RFC 9068, signature, type, audience, issuer.
	const asked = new Request('https://api.example/', { headers: { authorization: `Bearer ${fresh.access_token}` } });
	const claims = await oauth.validateJwtAccessToken(as, asked, 'portico', insecure);
	const other = await refusal(oauth.validateJwtAccessToken(as, asked, 'another', insecure));
	return { sub, name: userinfo.given_name, replay, family: await refusal(refresh(fresh.refresh_token)), client: claims.client_id, otherAudience: other };
}

async function keyedClient() {
	const client = { client_id: job.keyed }, proof = oauth.PrivateKeyJwt({ key: await importKey(job.key), kid: job.kid });
	const tokens = await codeFlow(client, proof, { scope: job.scope, callback: job.callback, person: job.person, push: true });
	const look = async () => oauth.processIntrospectionResponse(as, client,
		await oauth.introspectionRequest(as, client, proof, tokens.access_token, insecure));
	const before = await look();
	await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, proof, tokens.refresh_token, insecure));
	return { active: before.active, revoked: !(await look()).active };
}

async function partner() {
	const client = { client_id: job.partner }, proof = oauth.PrivateKeyJwt({ key: await importKey(job.key), kid: job.kid });
	const grant = async (scope) => oauth.processClientCredentialsResponse(as, client,
		await oauth.clientCredentialsGrantRequest(as, client, proof, new URLSearchParams({ scope }), insecure));
	return { scope: (await grant('partner:positions')).scope, tooMuch: await refusal(grant('service')) };
}

async function exchange() {
	const client = { client_id: job.desk }, proof = oauth.None();
	const helper = await codeFlow(client, proof, { scope: 'openid desk:persons', callback: job.deskCallback, person: job.operator });
	const answer = await oauth.genericTokenEndpointRequest(as, client, proof, 'urn:ietf:params:oauth:grant-type:token-exchange', {
		subject_token: job.mandate, subject_token_type: 'urn:portico:params:oauth:token-type:mandate',
		actor_token: helper.access_token, actor_token_type: 'urn:ietf:params:oauth:token-type:access_token' }, insecure);
	const acting = await oauth.processGenericTokenEndpointResponse(as, client, answer);
	const asked = new Request('https://api.example/', { headers: { authorization: `Bearer ${acting.access_token}` } });
	return { acting: await oauth.validateJwtAccessToken(as, asked, 'portico', insecure) };
}

console.log(JSON.stringify({ public: await publicClient(), keyed: await keyedClient(),
	partner: await partner(), exchange: await exchange() }));
