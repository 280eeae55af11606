// The person's browser: keeps cookies, follows redirects until they leave for the front end, and presses the button of one person.
export async function logIn(start, person, callback) {
	const jar = new Map();
	let url = start, options = {};

	for (let hop = 0; hop < 10; hop++) {
		const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
		const answer = await fetch(url, { redirect: 'manual', ...options, headers: { ...options.headers, ...(cookie && { cookie }) } });
		for (const line of answer.headers.getSetCookie()) {
			const [name, value] = line.split(';')[0].split('=');
			value ? jar.set(name, value) : jar.delete(name);
		}
		options = {};
		const location = answer.headers.get('location');
		if (location?.startsWith(callback)) return new URL(location);
		if (location) { url = new URL(location, url); continue; }
		const page = await answer.text();
		if (answer.status !== 200) throw new Error(`the login page answered ${answer.status}: ${page.slice(0, 300)}`);
		const field = (name) => page.match(new RegExp(`name="${name}" value="([^"]*)"`))[1];
		const body = new URLSearchParams({ request: field('request'), csrf: field('csrf'), person });
		options = { method: 'POST', body };
		url = new URL(page.match(/<form[^>]*action="([^"]*)"/)[1], url);
	}
	throw new Error('the login goes round in circles');
}

// What a promise failed with, or a failure of its own when it did not: a client that takes everything proves nothing.
export async function refusal(promise) {
	try {
		await promise;
	} catch (error) {
		return error.error ?? error.code ?? error.message;
	}
	return 'nothing was refused';
}
