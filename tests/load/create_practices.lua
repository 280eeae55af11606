-- wrk: makes drafts through the gateway, each with an Idempotency-Key of its own. TOKEN and SERVICE come from the environment.
local made = 0
local run = os.getenv("RUN")

function setup(thread)
	thread:set("number", threads)
	threads = (threads or 0) + 1
end

function request()
	made = made + 1
	return wrk.format("POST", nil, {
		["Authorization"] = "Bearer " .. os.getenv("TOKEN"),
		["Content-Type"] = "application/json",
		["Idempotency-Key"] = string.format("%s-%d-%d", run, number or 0, made),
	}, '{"serviceId": "' .. os.getenv("SERVICE") .. '", "data": {"note": "misura"}}')
end
