// Plays the pagoPA node with the npm package "soap": node call.js WSDL ENDPOINT KEY < [{"operation", "members"}, …] > [answer, …]
const soap = require(process.env.SOAP_MODULE);
const [wsdl, endpoint, key] = process.argv.slice(2);

async function main() {
	const client = await soap.createClientAsync(wsdl, { endpoint });
	const answers = [];

	client.addHttpHeader('Ocp-Apim-Subscription-Key', key);
	for (const { operation, members } of JSON.parse(require('fs').readFileSync(0)))
		answers.push((await client[operation + 'Async'](members))[0]);
	console.log(JSON.stringify(answers));
}

main().catch((error) => {
	console.error(error.message, error.response && error.response.status);
	process.exit(1);
});
